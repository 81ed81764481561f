"""What the console shows first, in one answer: what is served, to whom, and how much there is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from adaptation.options import Strategy
from memory.memory import LongTermMemory
from memory.offline.job import OPEN, JobStatus
from memory.versions.judgements import Judgement
from server.adapters.champions import Champions
from server.config import Settings
from server.tenancy.principal import Access, Principal
from server.version import installed_version

NEWEST_JOBS = 100
"""Of a tenant, among which those not done are counted."""
NEWEST_POINTS = 50
"""Of the learning curve."""


class Overview:
    """Answers for every tenant of one server."""

    def __init__(
        self,
        memory: LongTermMemory,
        champions: Champions,
        settings: Settings,
        names: Sequence[str],
        base: str,
    ) -> None:
        """`names` are what clients call the model, `base` is what judgements call it."""
        self._memory, self._champions, self._settings = memory, champions, settings
        self._names, self._base = names, base

    async def of(self, caller: Principal) -> dict[str, Any]:
        """Return what `caller` may see; counts are for those who may look at the memory."""
        may_look = caller.access >= Access.REVIEWER
        return {
            "object": "console",
            "version": installed_version(),
            "tenant": caller.tenant,
            "role": caller.role,
            "is_operator": caller.is_operator,
            "models": list(self._names),
            "strategies": [strategy.value for strategy in Strategy],
            "default_strategy": self._settings.strategy,
            "database": "postgresql" if self._settings.database_url else "sqlite",
            "features": self._features(),
            **(await self._held(caller.tenant) if may_look else {}),
        }

    async def _held(self, tenant: str) -> dict[str, Any]:
        run = self._memory.aside.reading.run
        counts, jobs, judged = await asyncio.gather(
            run(self._memory.counts.of, tenant),
            run(self._memory.jobs.list, tenant, NEWEST_JOBS),
            run(self._memory.judgements.of, tenant, self._base),
        )
        return {
            "champion": self._champions.version(tenant),
            "counts": {
                **counts,
                "jobs_open": sum(job.status in OPEN for job in jobs),
                "jobs_running": sum(job.status is JobStatus.RUNNING for job in jobs),
            },
            "learning": [_point(each) for each in judged[-NEWEST_POINTS:]],
        }

    def _features(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "jobs": settings.jobs,
            "reuse": settings.reuse,
            "idle_training": settings.idle_training,
            "reward_model": settings.reward_model is not None,
            "champion_autonomy": settings.champion_autonomy,
            "trace_rows": settings.trace_rows,
        }


def _point(judged: Judgement) -> dict[str, Any]:
    """Return one generation: shares of the held-out questions answered rightly."""
    names = {"adapter_id", "promoted", "helped", "hurt", "before", "after", "train", "at"}
    return judged.model_dump(include=names)
