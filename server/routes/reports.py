"""`GET /v1/reports/{completion_id}`: what was done for an answer, after its stream has ended."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from memory.aside import Aside
from server.routes.elsewhere import Elsewhere
from server.routes.paging import Id
from server.telemetry.reports import Reports
from server.tenancy.principal import Tenant


def reports_router(reports: Reports, aside: Aside, elsewhere: Elsewhere) -> APIRouter:
    """Return the route, over `reports`."""
    router = APIRouter(tags=["adaptation"])

    @router.get("/v1/reports/{completion_id}")
    async def get_report(completion_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return the `adaptation` object of a completion, a chat or a response."""
        found = await elsewhere.found(aside.reading, reports.find, tenant, completion_id)
        whole: dict[str, Any] = {"object": "report", "id": completion_id}
        if len(found) == 1:
            return whole | {"adaptation": found[0]}
        prompts = [{"index": place, "adaptation": each} for place, each in enumerate(found)]
        return whole | {"prompts": prompts}

    return router
