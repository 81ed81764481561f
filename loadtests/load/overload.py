"""Ten times as many requests as a server can answer, for a minute.

Requests arrive whether or not earlier ones were answered. Capacity is what the same server answers
to as many clients as it has places (`max_concurrent_requests`), measured before and after.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
import uvloop
from rich.console import Console

from adaptation.evaluation import questions
from adaptation.statistics import Interval
from loadtests.load.wire import Reply, Wire, posting
from loadtests.measure import load
from loadtests.measure.result import Result, Target
from server.models.catalogue import BUILT_IN
from server.server_process import WHET, Server, running

PLACES = 32
TIMES = 10
GOODPUT, REJECT_MS, MEMORY, RECOVERY_S = 0.95, 50.0, 1.05, 5.0
USUAL = 2.0
"""A server has recovered when one request takes at most so many times as long as before."""
ALONE = 20
LEAST_WARM_S = 5.0


@dataclass(frozen=True)
class Plan:
    """How long to measure, in seconds."""

    overload_s: float
    capacity_s: float

    @classmethod
    def of(cls, quick: bool) -> Plan:
        """Return the plan for the claim, or a quick one."""
        return cls(10.0, 5.0) if quick else cls(60.0, 20.0)


def measure(plan: Plan, console: Console, flags: Sequence[str] = ()) -> Result:
    """Serve the built-in model, overload it, and see how it fares."""
    with TemporaryDirectory(prefix="whet-load-") as data:
        given = ("--data-dir", data, "--embedder", "hashing")
        places = ("--max-concurrent-requests", str(PLACES))
        with running(WHET, console, *given, *places, *flags) as server:
            return uvloop.run(_measured(plan, server, console))  # as the server: it takes less


async def _measured(plan: Plan, server: Server, console: Console) -> Result:
    wire, bodies = Wire(urlsplit(server.url).port or 80), itertools.cycle(_bodies())
    await _closed(wire, bodies, PLACES, LEAST_WARM_S)
    await _open(wire, bodies, 20.0, 1.0)  # what is refused warms up too
    capacities = [await _capacity(wire, bodies, plan)]
    alone = [(await wire.post(next(bodies))).seconds for _ in range(ALONE)]
    family = server.family()  # once: looking for children takes long, on the load's own cores
    before_bytes = _resident(family)
    rate = TIMES * capacities[0]
    console.print(f"capacity {capacities[0]:.1f} requests/s; {rate:.0f} a second arrive now")
    watching = asyncio.create_task(_peak(family))
    began, spent = time.perf_counter(), _spent(server)
    replies = await _open(wire, bodies, rate, plan.overload_s)
    spent = {who: seconds - spent[who] for who, seconds in _spent(server).items()}
    recovery_s = await _recovered(wire, bodies, began + plan.overload_s, alone)
    watching.cancel()
    peak_bytes = await watching
    capacities.append(await _capacity(wire, bodies, plan))
    wire.close()
    resident = before_bytes, peak_bytes
    return _result(plan, capacities, replies, began, recovery_s, resident, alone, spent)


def _bodies() -> list[bytes]:
    asked = questions.everyday(64, 1)
    bodies = (load.body(f"{BUILT_IN}:plain", each.question, 1) for each in asked)
    quiet = {"adaptation": {"memory": {"write": False}}}
    return [posting("/v1/chat/completions", body | quiet) for body in bodies]


async def _capacity(wire: Wire, bodies: Any, plan: Plan) -> float:
    """Return the requests answered in a second by a server that is never idle, nor asked more."""
    replies = await _closed(wire, bodies, PLACES, plan.capacity_s)
    return sum(reply.status == 200 for reply in replies) / plan.capacity_s


async def _closed(wire: Wire, bodies: Any, clients: int, seconds: float) -> list[Reply]:
    """Have clients ask one request after another; return those that ended in time."""
    end, replies = time.perf_counter() + seconds, list[Reply]()

    async def client() -> None:
        while time.perf_counter() < end:
            replies.append(await wire.post(next(bodies)))

    await asyncio.gather(*(client() for _ in range(clients)))
    return [reply for reply in replies if reply.ended_at <= end]


async def _open(wire: Wire, bodies: Any, rate: float, seconds: float) -> list[Reply]:
    """Have requests arrive at a rate; return all of them once they have ended."""
    began, asked = time.perf_counter(), list[asyncio.Task[Reply]]()
    while (passed := time.perf_counter() - began) < seconds:
        while len(asked) < rate * passed:
            asked.append(asyncio.create_task(wire.post(next(bodies))))
        await asyncio.sleep(0.002)
    return list(await asyncio.gather(*asked))


async def _recovered(wire: Wire, bodies: Any, ended: float, alone: Sequence[float]) -> float:
    """Return the seconds from the end of the arrivals until a request is answered as before."""
    bound = USUAL * statistics.median(alone)
    while True:
        reply = await wire.post(next(bodies))
        if reply.status == 200 and reply.seconds <= bound:
            return max(0.0, reply.ended_at - ended)
        if time.perf_counter() - ended > 60:
            return float("inf")


async def _peak(family: Sequence[psutil.Process]) -> int:
    """Return the most that is resident at a time, until cancelled."""
    most = 0
    try:
        while True:
            most = max(most, _resident(family))
            await asyncio.sleep(1.0)
    except asyncio.CancelledError:
        return most


def _resident(family: Sequence[psutil.Process]) -> int:
    return sum(process.memory_info().rss for process in family)


def _spent(server: Server) -> dict[str, float]:
    """Return the seconds of processor time that the load and the server's own process took."""
    times = server.process.cpu_times()
    return {"load": time.process_time(), "server": times.user + times.system}


def _result(
    plan: Plan,
    capacities: Sequence[float],
    replies: Sequence[Reply],
    began: float,
    recovery_s: float,
    resident: tuple[int, int],
    alone: Sequence[float],
    spent: Mapping[str, float],
) -> Result:
    good = [each for each in replies if each.status == 200]
    in_time = [each for each in good if each.ended_at <= began + plan.overload_s]
    refused = sorted(1000 * each.seconds for each in replies if each.status in (429, 503))
    goodput = len(in_time) / plan.overload_s
    ratios = sorted(goodput / each for each in capacities)
    ratio = Interval(goodput / statistics.mean(capacities), ratios[0], ratios[-1])
    p99 = float(np.quantile(refused, 0.99)) if refused else float("nan")
    growth = resident[1] / resident[0]
    statuses = Counter(each.status for each in replies)
    told = sum(each.retry_after_s is not None for each in replies if each.status in (429, 503))
    figures = {
        "capacities": list(capacities),
        "arrived": len(replies),
        "statuses": {str(key): count for key, count in statuses.items()},
        "goodput": goodput,
        "refused_ms": {q: float(np.quantile(refused, float(q))) for q in ("0.5", "0.9", "0.99")}
        if refused
        else {},
        "refused with retry-after": told,
        "resident_bytes": resident,
        "recovery_s": recovery_s,
        "alone_s": list(alone),
        "spent_s": spent,
    }
    rows = [
        ("capacity, requests/s, before and after", ", ".join(f"{c:.1f}" for c in capacities)),
        ("arrived, answered, refused", f"{len(replies)}, {len(good)}, {len(refused)}"),
        ("refused, of those with retry-after", f"{told}"),
        ("neither answered nor refused", f"{len(replies) - len(good) - len(refused)}"),
        *((f"processor time of the {who}", f"{s:.1f} s") for who, s in spent.items()),
        ("refusals, p50", f"{statistics.median(refused) if refused else float('nan'):.1f} ms"),
    ]
    targets = [
        Target("goodput / capacity", GOODPUT, "at least", ratio),
        Target("refusals, p99", REJECT_MS, "at most", Interval(p99, p99, p99), "ms"),
        Target("resident memory, most / before", MEMORY, "at most", Interval(*[growth] * 3)),
        Target("recovery", RECOVERY_S, "at most", Interval(*[recovery_s] * 3), "s"),
    ]
    title = f"{TIMES} × overload for {plan.overload_s:.0f} s, {PLACES} places"
    note = "The load is made on the server's own cores."
    return Result("overload", title, rows, figures, targets, note)
