"""An engine that is killed, and one that hangs, under requests: how long until all is well again.

Clients ask without a pause but after a refusal. What matters: the seconds from the signal until
`/ready` says yes for another engine, and that whoever asked meanwhile was answered, or refused in
order: 503 with `retry-after`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import psutil
from rich.console import Console

from adaptation.evaluation import questions
from adaptation.statistics import Interval
from loadtests.load.restarts import LOOK_S, STRATEGIES, says_ready
from loadtests.load.wire import Reply, Wire, posting
from loadtests.measure.result import Result, Target
from server.models.catalogue import BUILT_IN
from server.resident import role_of
from server.server_process import WHET, Server, running

CLIENTS = 4
PAUSE_S = 0.5
"""After a refusal: a client that comes back at once would take the cores of the start."""
AT_WORK_S = 3.0
MOST_S = 600.0
ANSWER_S = 180.0
READY_S = 60.0
HARMS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}


@dataclass(frozen=True)
class Death:
    """One engine's end, and what became of the requests until the next was ready."""

    harm: str
    seconds: float
    """From the signal until `/ready` says yes again."""
    noticed_s: float
    """From the signal until it said no."""
    answered: int
    refused: int
    """503 with `retry-after`."""
    disorderly: dict[str, int]
    """How often which other status; 0 is a connection that broke."""
    refusal_s: float
    """The median of how long a request that came after the notice took to be refused."""
    load: float
    """The machine's, over the last minute, when the engine was ready again."""


def measure(deaths: int, console: Console, flags: Sequence[str] = ()) -> Result:
    """Serve the built-in model, and end its engine so often in each way."""
    with TemporaryDirectory(prefix="whet-deaths-") as data:
        given = ("--data-dir", data, "--embedder", "hashing")
        given += ("--engine-restarts", str(min(100, 2 * deaths + 1)), *flags)
        with running(WHET, console, *given) as server:
            return _result(asyncio.run(_measured(deaths, server, console)))


async def _measured(deaths: int, server: Server, console: Console) -> list[Death]:
    port, found = urlsplit(server.url).port or 80, list[Death]()
    clients = [list[Reply]() for _ in range(CLIENTS)]
    asking = [asyncio.create_task(_ask(port, *each)) for each in enumerate(clients)]
    for harm in itertools.chain.from_iterable(itertools.repeat(tuple(HARMS), deaths)):
        await _at_work(clients)
        found.append(await _death(harm, server, port, clients))
        console.print(f"{harm}: {found[-1]}")
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    return found


async def _ask(port: int, number: int, replies: list[Reply]) -> None:
    asked = itertools.cycle(questions.everyday(64, number))
    with closing(Wire(port)) as wire:
        for strategy in itertools.cycle(STRATEGIES):
            body: dict[str, Any] = {
                "model": f"{BUILT_IN}:{strategy}",
                "messages": [{"role": "user", "content": next(asked).question}],
                "max_tokens": 200,
                "adaptation": {"memory": {"write": False}},
            }
            replies.append(await wire.post(posting("/v1/chat/completions", body)))
            if replies[-1].status != 200:
                await asyncio.sleep(PAUSE_S)


async def _at_work(clients: Sequence[Sequence[Reply]]) -> None:
    """Wait until requests are answered again, and for a while."""
    since, end = time.perf_counter(), time.monotonic() + MOST_S
    while not any(each and _is_answer(each[-1], since) for each in clients):
        if time.monotonic() > end:
            raise RuntimeError(f"no request was answered within {MOST_S:.0f} s")
        await asyncio.sleep(LOOK_S)
    await asyncio.sleep(AT_WORK_S)


def _is_answer(reply: Reply, since: float) -> bool:
    return reply.status == 200 and reply.sent_at > since


async def _death(harm: str, server: Server, port: int, clients: Sequence[Sequence[Reply]]) -> Death:
    core, began = _core_of(server), time.perf_counter()
    os.kill(core.pid, HARMS[harm])
    noticed = await _until(port, False)
    ready = await _until(port, True)
    load = os.getloadavg()[0]
    if core.is_running() and core.status() != psutil.STATUS_ZOMBIE:
        raise RuntimeError(f"the engine that was {harm} is still there")
    unanswered = await _waiting(clients, ready)
    replies = [r for each in clients for r in each if r.ended_at > began and r.sent_at < ready]
    refused = [r for r in replies if r.status == 503 and r.retry_after_s]
    others = [str(r.status) for r in replies if r.status != 200 and r not in refused]
    others += ["unanswered"] * unanswered
    later = [r.seconds for r in refused if r.sent_at > noticed]
    return Death(
        harm=harm,
        seconds=ready - began,
        noticed_s=noticed - began,
        answered=sum(r.status == 200 for r in replies),
        refused=len(refused),
        disorderly={status: others.count(status) for status in set(others)},
        refusal_s=statistics.median(later) if later else float("nan"),
        load=load,
    )


async def _waiting(clients: Sequence[Sequence[Reply]], ready: float) -> int:
    """Return how many clients wait for requests from before that moment, minutes later."""
    end = time.monotonic() + ANSWER_S
    while True:
        waiting = sum(not each or each[-1].ended_at < ready for each in clients)
        if not waiting or time.monotonic() > end:
            return waiting
        await asyncio.sleep(LOOK_S)


def _core_of(server: Server) -> psutil.Process:
    for each in server.family():
        if role_of(" ".join(each.cmdline())) == "engine core":
            return each
    raise RuntimeError("the server has no engine core")


async def _until(port: int, ready: bool) -> float:
    """Return the moment at which `/ready` says so."""
    end = time.monotonic() + MOST_S
    while await says_ready(port) is not ready:
        if time.monotonic() > end:
            raise RuntimeError(f"/ready did not say {ready} within {MOST_S:.0f} s")
        await asyncio.sleep(LOOK_S)
    return time.perf_counter()


def _result(deaths: Sequence[Death]) -> Result:
    by_harm = {harm: [each for each in deaths if each.harm == harm] for harm in HARMS}
    rows = [row for harm, found in by_harm.items() for row in _rows(harm, found)]
    targets = [
        Target(f"{harm}: from the notice to ready", READY_S, "at most", _spread(restarts), "s")
        for harm, found in by_harm.items()
        if (restarts := [each.seconds - each.noticed_s for each in found])
    ]
    lost = float(sum(sum(each.disorderly.values()) for each in deaths))
    name = "requests neither answered nor refused in order"
    targets.append(Target(name, 0.0, "at most", Interval(lost, lost, lost)))
    title = f"the engine's end, {len(by_harm['killed'])} × each way, {CLIENTS} clients"
    note = "In order: 503 with `retry-after`. Medians and spread. A hang is noticed by its silence."
    return Result("engine", title, rows, {"deaths": [asdict(d) for d in deaths]}, targets, note)


def _rows(harm: str, found: Sequence[Death]) -> list[tuple[str, str]]:
    def shown(values: Sequence[float]) -> str:
        spread = _spread(values)
        return f"{spread.value:.3g} ({spread.low:.3g} to {spread.high:.3g})"

    return [
        (f"{harm}: ready again after, s", shown([each.seconds for each in found])),
        (f"{harm}: noticed after, s", shown([each.noticed_s for each in found])),
        (f"{harm}: answered meanwhile", str(sum(each.answered for each in found))),
        (f"{harm}: 503 with retry-after", str(sum(each.refused for each in found))),
        (f"{harm}: a refusal took, ms", shown([1000 * each.refusal_s for each in found])),
        (f"{harm}: the machine's load", shown([each.load for each in found])),
    ]


def _spread(values: Sequence[float]) -> Interval:
    return Interval(statistics.median(values), min(values), max(values))
