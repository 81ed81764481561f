"""The tenant's index, built from the database anew; records without a vector are embedded.

Vectors go to the database batch by batch: whoever goes on with such a job makes only those that
are missing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from memory.types import Frozen
from server.jobs.threads import in_thread
from server.jobs.work import OnProgress, Work


class ReindexRequest(Frozen):
    """Nothing is asked but the work itself."""


async def run(work: Work) -> dict[str, Any]:
    """Rebuild the index, and return how many records it holds."""
    ReindexRequest.model_validate(work.job.request)

    def rebuild(progress: OnProgress) -> int:
        return work.memory.rebuild(work.job.tenant, partial(progress, "embedding"))

    return {"indexed": await in_thread(work, rebuild)}
