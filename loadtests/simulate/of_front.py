"""What a request costs the front and the database, asked one at a time of one server that waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import Any

import psutil

from adaptation.statistics import quartiles
from loadtests.load.wire import Wire
from loadtests.processes import cpu_seconds, with_children
from loadtests.scale.site import Plan, Site, site
from loadtests.scale.tenants import drafts
from loadtests.simulate.costs import Spread
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory

PLAN = Plan(sample_s=0.2)
BATCHES, REQUESTS = 8, 10
"""Processor time is counted in hundredths of a second: of so many requests at a time."""
FOLLOWED = 400
"""Records that another server saves before a request."""


@dataclass(frozen=True)
class Batch:
    """What so many requests took, each."""

    front_cpu_s: float
    database_cpu_s: float
    retrieval_s: float
    samples: float
    sample_wait_s: float


def measure() -> dict[str, Spread]:
    """Start a server, ask it, end it."""
    return asyncio.run(_measured())


async def _measured() -> dict[str, Spread]:
    async with site(1, PLAN) as found:
        for is_voted in (True, False):  # the first ones import, compile and open connections
            await _batch(found, voted=is_voted)
        voted = [await _batch(found, voted=True) for _ in range(BATCHES)]
        plain = [await _batch(found, voted=False) for _ in range(BATCHES)]
        followed = [await _followed(found) for _ in range(BATCHES // 2)]
    usual_s = REQUESTS * median(each.front_cpu_s for each in voted)
    return {
        "front_voted_cpu_s": _spread([each.front_cpu_s for each in voted]),
        "front_plain_cpu_s": _spread([each.front_cpu_s for each in plain]),
        "database_cpu_s": _spread([each.database_cpu_s for each in voted]),
        "retrieval_s": _spread([each.retrieval_s for each in voted]),
        "samples": _spread([each.samples for each in voted]),
        "sample_wait_s": _spread([each.sample_wait_s for each in voted]),
        "follow_cpu_s": _spread([max(0.0, cpu_s - usual_s) / FOLLOWED for cpu_s in followed]),
    }


async def _batch(found: Site, *, voted: bool) -> Batch:
    front, database = _processes(found)
    before = cpu_seconds(front), cpu_seconds(database)
    reports = [await _asked(found, voted=voted) for _ in range(REQUESTS)]
    used = cpu_seconds(front) - before[0], cpu_seconds(database) - before[1]
    seconds = [each["seconds"] for each in reports]
    return Batch(
        used[0] / REQUESTS,
        used[1] / REQUESTS,
        median(each.get("retrieve", 0.0) for each in seconds),
        sum(each["samples"]["started"] for each in reports) / REQUESTS,
        median(max(0.0, each.get("sample", 0.0) - PLAN.sample_s) for each in seconds),
    )


async def _followed(found: Site) -> float:
    """Return the front's processor time for a batch before which another server saved records."""
    embedder, tenant = create_embedder("hashing"), found.tenants[0]
    folder, url = found.replicas[0].folder.parent / "settled", found.replicas[0].database_url
    with closing(LongTermMemory.open(folder, embedder, database_url=url)) as memory:
        first = next(tenant.numbers) + 1_000_000
        memory.save_many(drafts(tenant.name, range(first, first + FOLLOWED)))
    return REQUESTS * (await _batch(found, voted=True)).front_cpu_s


async def _asked(found: Site, *, voted: bool) -> dict[str, Any]:
    tenant, wire = found.tenants[0], Wire(found.replicas[0].port)
    reply = await wire.post(tenant.request() if voted else tenant.plain_request())
    wire.close()
    if reply.status != 200:
        raise RuntimeError(f"a request ended with {reply.status}: {reply.body[:300]!r}")
    report: dict[str, Any] = json.loads(reply.body)["adaptation"]
    return report


def _processes(found: Site) -> tuple[list[psutil.Process], list[psutil.Process]]:
    return [found.replicas[0].running()], with_children(found.cluster.pid)


def _spread(values: Sequence[float]) -> Spread:
    return Spread.of(quartiles(values))
