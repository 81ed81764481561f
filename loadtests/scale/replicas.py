"""Three replicas against one over one PostgreSQL: requests/s, lost and foreign answers.

`python -m loadtests.scale.replicas`. One, two and three servers take turns behind a balancer, in
several rounds of one run, under the same number of clients. The engine is a fake that waits, so
that a replica is bounded by its places and not by cores that all of them share; what cores were
used is told beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from adaptation.statistics import Interval, geometric_mean
from loadtests.load.restarts import LOOK_S, Balancer, Port, says_ready
from loadtests.load.wire import Wire
from loadtests.measure.result import Result, Target
from loadtests.postgres import ABSENT, UNSYNCED, Cluster, programs
from loadtests.processes import cpu_seconds, with_children
from loadtests.scale import part
from loadtests.scale.tenants import Tenant, figures, give_secret, replies_of, settle
from loadtests.scale.waiting import Waiting

COUNTS = (1, 2, 3)
PLACES, SAMPLE_S = 16, 2.0
CLIENTS = 24
"""Of both tenants together: half more than three replicas vote on at a time."""
WARM_S, WINDOW_S, ROUNDS = 5.0, 20.0, 5
BOUND = 2.7
READY_S, STOP_S = 1800.0, 30.0


@dataclass(frozen=True)
class Plan:
    """How much is asked of the replicas."""

    rounds: int = ROUNDS
    window_s: float = WINDOW_S
    warm_s: float = WARM_S
    clients: int = CLIENTS
    places: int = PLACES
    sample_s: float = SAMPLE_S

    @classmethod
    def of(cls, *, quick: bool) -> Plan:
        """Return the whole plan, or a look."""
        return cls(rounds=2, window_s=20.0) if quick else cls()


@dataclass(frozen=True)
class Turn:
    """What so many replicas did in one window."""

    replicas: int
    requests_per_s: float
    front_cores: float
    """Used by the replicas, on average."""
    database_cores: float
    clients_cores: float
    """Used by the clients and the balancer."""
    load: float
    """Load average of the machine, a minute's."""


@dataclass
class Replica(Port):
    """A server whose engine waits, forked from a process that has imported all that it needs."""

    folder: Path
    database_url: str
    plan: Plan
    process: BaseProcess | None = None

    async def start(self) -> None:
        """Start it, and wait until it is ready; raises RuntimeError."""
        waiting = Waiting(
            self.folder, self.port, self.database_url, self.plan.places, self.plan.sample_s
        )
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["loadtests.scale.replica"])
        self.process = context.Process(target=_served, args=(waiting,))
        self.process.start()
        end = time.monotonic() + READY_S
        while not await says_ready(self.port):
            if not self.process.is_alive() or time.monotonic() > end:
                tail = (self.folder / "log").read_text("utf-8", "replace")[-2000:]
                raise RuntimeError(f"a replica did not start:\n{tail}")
            await asyncio.sleep(LOOK_S)

    def running(self) -> psutil.Process:
        """Return its process."""
        assert self.process is not None
        return psutil.Process(self.process.pid)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that is not heard."""
        if self.process is not None:
            self.process.terminate()
            self.process.join(STOP_S)
            self.process.kill()


def _served(waiting: Waiting) -> None:
    """Only here is imported what the parent has no use for."""
    from loadtests.scale.replica import run

    run(waiting)


@dataclass
class Site:
    """Replicas, the database behind them, and the tenants before them."""

    replicas: Sequence[Replica]
    cluster: Cluster
    tenants: Sequence[Tenant]
    plan: Plan
    turns: list[Turn] = field(default_factory=list)

    async def turn(self, count: int) -> None:
        """Have all clients ask the first `count` replicas, and note what came of it."""
        balancer = Balancer(self.replicas[:count])
        async with balancer.serving():
            while not all(each.is_ready for each in self.replicas[:count]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            going = asyncio.Event()
            names = itertools.islice(itertools.cycle(self.tenants), self.plan.clients)
            asking = [asyncio.create_task(_ask(balancer.port, each, going)) for each in names]
            await asyncio.sleep(self.plan.warm_s)
            self.turns.append(await self._window(count))
            going.set()
            await asyncio.gather(*asking)

    async def _window(self, count: int) -> Turn:
        processes = {
            "front": [each.running() for each in self.replicas],
            "database": with_children(self.cluster.pid),
            "clients": [psutil.Process()],
        }
        before = {name: cpu_seconds(each) for name, each in processes.items()}
        began = time.perf_counter()
        await asyncio.sleep(self.plan.window_s)
        ended = time.perf_counter()
        used = {name: cpu_seconds(each) - before[name] for name, each in processes.items()}
        answered = sum(began <= each.ended_at < ended for each in replies_of(self.tenants))
        seconds = ended - began
        return Turn(
            count,
            answered / seconds,
            used["front"] / seconds,
            used["database"] / seconds,
            used["clients"] / seconds,
            os.getloadavg()[0],
        )


async def _ask(port: int, tenant: Tenant, ends: asyncio.Event) -> None:
    """Ask one question after another until `ends` is set; the last is answered."""
    wire = Wire(port)
    while not ends.is_set():
        tenant.note(await wire.post(tenant.request()))
    wire.close()


def measure(args: argparse.Namespace) -> Result:
    """Measure by the plan that the command line asks for."""
    return measured(replace(Plan.of(quick=args.quick), sample_s=args.sample_s))


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that `measure` reads."""
    told = "a sample waits so long; longer where others use the cores, so that they bound nothing"
    parser.add_argument(
        "--sample-s", type=float, default=SAMPLE_S, help=f"{told} (default: {SAMPLE_S:g})"
    )


def measured(plan: Plan) -> Result:
    """Start everything, take turns, and count; raises RuntimeError without PostgreSQL."""
    if programs() is None:
        raise RuntimeError(ABSENT)
    return asyncio.run(_measured(plan))


async def _measured(plan: Plan) -> Result:
    async with site(max(COUNTS), plan) as found:
        for number in range(plan.rounds):
            for count in COUNTS if number % 2 == 0 else reversed(COUNTS):
                await found.turn(count)
                print(f"round {number + 1} of {plan.rounds}: {_told(found.turns[-1])}", flush=True)
        if not all(turn.requests_per_s for turn in found.turns):
            raise RuntimeError(f"a window without an answer, load {os.getloadavg()[0]:.0f}")
        for tenant, replica in itertools.product(found.tenants, found.replicas):
            await tenant.look(replica.port)
    return _result(plan, found)


@asynccontextmanager
async def site(replicas: int, plan: Plan) -> AsyncIterator[Site]:
    """Start a database and so many replicas, for the length of the block."""
    with TemporaryDirectory(prefix="whet-scale-") as name, _cluster() as cluster:
        folder, url = Path(name), cluster.database()
        tenants = settle(folder / "settled", url)
        started = [Replica(folder / f"replica-{n}", url, plan) for n in range(1, replicas + 1)]
        try:
            for each in started:
                give_secret(folder / "settled", each.folder / "data")
                await each.start()
            yield Site(started, cluster, tenants, plan)
        finally:
            for each in started:
                each.stop()


@contextmanager
def _cluster() -> Iterator[Cluster]:
    cluster = Cluster(UNSYNCED)
    try:
        yield cluster
    finally:
        cluster.remove()


def _result(plan: Plan, found: Site) -> Result:
    replies = replies_of(found.tenants)
    unanswered = sum(each.status != 200 for each in replies)
    counted = figures(found.tenants) | {"unanswered": unanswered}
    by_count = {n: [each for each in found.turns if each.replicas == n] for n in COUNTS}
    gains = {n: _gain(by_count[n], by_count[1]) for n in COUNTS[1:]}
    targets = [
        Target("three replicas against one, requests/s", BOUND, "at least", gains[3], "×"),
        _none("requests without an answer", unanswered),
        _none("acknowledged records that a replica does not have", counted["lost"]),
        _none("answers and records with the other tenant's canary", counted["foreign"]),
    ]
    rows = [("two replicas against one, requests/s", f"{gains[2].show()} ×")]
    rows += [(f"{n} of them, medians", _medians(turns)) for n, turns in by_count.items()]
    rows += [(name, str(value)) for name, value in counted.items()]
    title = f"one, two and three replicas over one PostgreSQL, {plan.rounds} rounds in turns"
    kept = {
        "plan": asdict(plan),
        "turns": [asdict(each) for each in found.turns],
        **counted,
    }
    return Result("replicas", title, rows, kept, targets, _note(plan))


def _note(plan: Plan) -> str:
    return (
        f"The engine is a fake: a sample waits {plan.sample_s:g} s and takes no core; a replica "
        f"has {plan.places} places. {plan.clients} clients of two tenants ask one "
        "question after another; each is answered by a vote, verified and saved. "
        "So this measures what the front, the memory and the database bear, and no engine. "
        "Intervals: Student's, of the logs of the rounds' ratios."
    )


def _none(name: str, number: int) -> Target:
    return Target(name, 0.0, "at most", Interval(float(number), float(number), float(number)))


def _gain(turns: Sequence[Turn], alone: Sequence[Turn]) -> Interval:
    """Return the ratio of requests/s to that of one replica in the same round."""
    pairs = zip(turns, alone, strict=True)
    return geometric_mean([more.requests_per_s / one.requests_per_s for more, one in pairs])


def _medians(turns: Sequence[Turn]) -> str:
    middle: Mapping[str, Any] = {
        key: median(asdict(each)[key] for each in turns) for key in asdict(turns[0])
    }
    return _told(Turn(**middle))


def _told(turn: Turn) -> str:
    return (
        f"{turn.requests_per_s:.2f} requests/s; cores: front {turn.front_cores:.2f}, database "
        f"{turn.database_cores:.2f}, clients {turn.clients_cores:.2f}; load {turn.load:.1f}"
    )


if __name__ == "__main__":
    sys.exit(part.run("replicas", __doc__, measure, add=add_flags))
