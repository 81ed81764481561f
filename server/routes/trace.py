"""`GET /v1/trace/{id}`: an answer, record, version, job or file, and what belongs to it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from memory.aside import Aside
from memory.versions.lineage import Lineage, Traced
from server.routes.elsewhere import Elsewhere
from server.tenancy.principal import Tenant

Named = Annotated[str, Path(max_length=1_000)]
"""An id, or a fine-tuned model's name, in which its base's may stand with a slash."""


def trace_router(lineage: Lineage, aside: Aside, elsewhere: Elsewhere) -> APIRouter:
    """Return the route, over `lineage`."""
    router = APIRouter(tags=["memory"])

    @router.get("/v1/trace/{thing_id:path}")
    async def trace(
        thing_id: Named, tenant: Tenant, depth: Annotated[int, Query(ge=0, le=6)] = 2
    ) -> dict[str, Any]:
        """Follow an answer to its records and adapter, and back, up to `depth` links."""
        found = await elsewhere.found(aside.reading, walked, tenant, thing_id, depth)
        return {"object": "list", "data": [thing.model_dump(mode="json") for thing in found]}

    def walked(tenant: str, thing_id: str, depth: int) -> list[Traced]:
        return list(lineage.walk(tenant, thing_id, depth))

    return router
