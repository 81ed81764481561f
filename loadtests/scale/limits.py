"""What a request waits where several servers hold its tenant's limits together.

Counted in one process, against counted in PostgreSQL; then a flood at three servers, of which no
more may be let in than one limit has. No HTTP and no engine: the time is that between a request's
arrival and its beginning.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from adaptation.statistics import Interval
from loadtests.measure.result import Result, Target
from loadtests.postgres import UNSYNCED, Cluster
from loadtests.scale import part
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.tenants import Limits
from server.refusals.errors import ApiError
from server.tenancy.quotas import Quotas

SERVERS = 3
AT_ONCE = 4
"""Requests that arrive together, at one server."""
FAR = 1_000_000
WAYS = {
    "counted in one process": (False, Limits(requests_per_minute=FAR)),
    "together, far from the limit": (True, Limits(requests_per_minute=FAR)),
    "together, every request asks": (True, Limits(requests_per_minute=1)),
    "together, 8 requests at a time": (True, Limits(concurrent_requests=8)),
}
"""Whether servers count together, and under what limits."""
SLACK = 1.01


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    return part.run("limits", __doc__, measure, argv)


def measure(args: argparse.Namespace) -> Result:
    """Return what requests waited in each way, and how many of a flood were let in."""
    rounds, requests = (2, 100) if args.quick else (5, 400)
    with opened() as memories:
        waits, let_in = asyncio.run(_measured(memories, rounds, requests))
    figures = {name: _percentiles_ms(found) for name, found in waits.items()}
    rows = [(name, f"p50 {p50:.3f} ms, p99 {p99:.3f} ms") for name, (p50, p99) in figures.items()]
    found = Interval(let_in, let_in, let_in)
    return Result(
        "limits",
        "What a request waits until it is counted",
        rows,
        {"waits_ms": figures, "let_in": let_in},
        [Target("let in of a flood at three servers, of one limit", SLACK, "at most", found, "×")],
        f"{rounds} rounds of {requests} requests for each way, the ways by turns, {AT_ONCE} at "
        "once; PostgreSQL on the same machine. What filled while the flood lasted is not counted.",
    )


@contextmanager
def opened() -> Iterator[list[LongTermMemory]]:
    """Yield the memories of three servers of one database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="whet-limits-")))
        cluster = Cluster(UNSYNCED)
        stack.callback(cluster.remove)
        url = cluster.database()
        memories = (
            LongTermMemory.open(folder / str(n), HashingEmbedder(), database_url=url)
            for n in range(SERVERS)
        )
        yield [stack.enter_context(closing(memory)) for memory in memories]


async def _measured(
    memories: Sequence[LongTermMemory], rounds: int, requests: int
) -> tuple[dict[str, list[float]], float]:
    waits: dict[str, list[float]] = {name: [] for name in WAYS}
    strangers = (f"tenant {n}" for n in count())
    for _ in range(rounds):
        for name, (together, limits) in WAYS.items():
            is_new = limits.requests_per_minute == 1  # each tenant's first request
            tenants = [next(strangers) if is_new else "acme" for _ in range(requests)]
            waits[name] += await _waits_s(_quotas(memories[0], limits, together), tenants)
    return waits, await _let_in(memories, requests)


def _quotas(memory: LongTermMemory, limits: Limits, together: bool) -> Quotas:
    counts = memory.quota_counts if together else None
    return Quotas(memory.tenants, limits, memory.aside.reading, counts)


async def _waits_s(quotas: Quotas, tenants: Sequence[str]) -> list[float]:
    """Return what each request waited until it had begun."""
    coming, found = iter(tenants), list[float]()

    async def client() -> None:
        for tenant in coming:
            begun = time.perf_counter()
            with (await quotas.entering(tenant)).begin():
                found.append(time.perf_counter() - begun)

    await quotas.of(tenants[0])  # the limits are known from here on
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    await quotas.close()
    return found


async def _let_in(memories: Sequence[LongTermMemory], limit: int) -> float:
    """Return how many requests of a flood at all servers are let in, of the limit of one tenant."""
    servers = [_quotas(memory, Limits(requests_per_minute=limit), True) for memory in memories]
    begun = time.monotonic()
    flood = [_is_let_in(quotas) for _ in range(limit) for quotas in servers]
    let_in = sum(await asyncio.gather(*flood))
    filled = limit * (time.monotonic() - begun) / 60
    for quotas in servers:
        await quotas.close()
    return let_in / (limit + filled)


async def _is_let_in(quotas: Quotas) -> bool:
    quota = await quotas.entering("flood")
    try:
        with quota.begin():
            return True
    except ApiError:
        return False


def _percentiles_ms(waits_s: Sequence[float]) -> tuple[float, float]:
    p50, p99 = np.percentile(np.asarray(waits_s) * 1000, [50, 99])
    return float(p50), float(p99)


if __name__ == "__main__":
    sys.exit(main())
