"""Replicas over one PostgreSQL, and clients who ask them: how it is set up, and a turn of it."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from loadtests.load.restarts import LOOK_S, Balancer, Port, says_ready
from loadtests.load.wire import Wire
from loadtests.postgres import UNSYNCED, Cluster
from loadtests.processes import cpu_seconds, with_children
from loadtests.scale.tenants import Tenant, give_secret, replies_of, settle
from loadtests.scale.waiting import Waiting

PLACES, SAMPLE_S = 16, 2.0
CLIENTS = 12
"""Of both tenants together, for each replica: half more than it votes on at a time."""
WARM_S, WINDOW_S, ROUNDS = 5.0, 20.0, 5
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
        """Have clients ask the first `count` replicas, and note what came of it."""
        balancer = Balancer(self.replicas[:count])
        async with balancer.serving():
            while not all(each.is_ready for each in self.replicas[:count]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            going = asyncio.Event()
            clients = range(self.plan.clients * count)
            asking = [asyncio.create_task(self._ask(balancer.port, n, going)) for n in clients]
            await asyncio.sleep(self.plan.warm_s)
            self.turns.append(await self._window(count))
            going.set()
            await asyncio.gather(*asking)

    async def _ask(self, port: int, client: int, ends: asyncio.Event) -> None:
        """Ask one question after another until `ends` is set; the last is answered.

        A client asks for all tenants in turn. With a tenant of its own it would stay with one
        replica, whose answers free a place there, and so would the tenant.
        """
        wire = Wire(port)
        for number in itertools.count(client):
            if ends.is_set():
                break
            tenant = self.tenants[number % len(self.tenants)]
            tenant.note(await wire.post(tenant.request()))
        wire.close()

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
