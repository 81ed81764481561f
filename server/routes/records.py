"""`/v1/memory`: the caller's own records, one by one and as JSON lines."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field, model_validator

from adaptation.allowance import Allowance
from memory.jsonl import AGAIN, ImportReport, export_lines, import_lines
from memory.lines import Origin, entries
from memory.lines.origin import Licence, Provenance
from memory.memory import LongTermMemory
from memory.types import Frozen, Record, State
from server.refusals.errors import ApiError
from server.routes.paging import OPAQUE_ID, Id, list_object
from server.tenancy.principal import Tenant

MAX_PAGE = 500
MAX_ERRORS = 1000
"""Bad lines an import describes; it counts all of them."""


Text = Annotated[str, Field(min_length=1, max_length=64_000, pattern=r"\S")]


class RecordChange(Frozen):
    """What a review may change; the question never changes, and `DELETE` erases."""

    state: Literal["pending", "active", "quarantined", "expired"] | None = None
    reason: str = Field(default="changed over the API", min_length=1, max_length=500)
    answer: Text | None = None
    rationale: Text | None = None
    """The solution; where there is an answer alone, the answer is the solution."""

    @model_validator(mode="after")
    def _changes_something(self) -> RecordChange:
        if self.state is self.answer is self.rationale is None:
            raise ValueError("names nothing to change: give `state`, `answer` or `rationale`")
        return self


class RecordFilter(Frozen):
    """Which records to list."""

    state: State | None = None
    task: str | None = Field(default=None, max_length=200)
    q: str | None = Field(default=None, max_length=1000)
    """Part of the question, the answer or the rationale."""
    limit: int = Field(default=100, ge=1, le=MAX_PAGE)
    after: str | None = Field(default=None, pattern=OPAQUE_ID)
    """The last id of the page before."""


def record_object(record: Record) -> dict[str, Any]:
    """Return a record as it is on the wire: times in seconds since 1970, as OpenAI has them."""
    fields = record.model_dump(mode="json")
    created_s = int(record.created_at.timestamp())
    return {"object": "memory.record"} | fields | {"created_at": created_s}


def records_router(memory: LongTermMemory, allowance: Allowance) -> APIRouter:
    """Return the routes, over `memory`; what is imported counts as records of the tenant's day."""
    router = APIRouter(prefix="/v1/memory", tags=["memory"])
    _add_records(router, memory)
    _add_files(router, memory, allowance)
    return router


def _add_records(router: APIRouter, memory: LongTermMemory) -> None:
    @router.get("/records")
    def list_records(wanted: Annotated[RecordFilter, Query()], tenant: Tenant) -> dict[str, Any]:
        """List records, newest first."""
        more = wanted.model_dump() | {"limit": wanted.limit + 1}
        found = memory.list(tenant, **more)
        page = [record_object(record) for record in found[: wanted.limit]]
        return list_object(page, has_more=len(found) > wanted.limit)

    @router.get("/records/{record_id}")
    def get_record(record_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return one record; an erased one is an empty tombstone."""
        return record_object(memory.get(tenant, record_id))

    @router.patch("/records/{record_id}")
    def change_record(record_id: Id, change: RecordChange, tenant: Tenant) -> dict[str, Any]:
        """Give a record another answer or solution, another state or both, after a review."""
        state = None if change.state is None else State(change.state)
        revised = memory.revise(
            tenant,
            record_id,
            answer=change.answer,
            rationale=change.rationale,
            state=state,
            reason=change.reason,
        )
        return record_object(revised)


def _add_files(router: APIRouter, memory: LongTermMemory, allowance: Allowance) -> None:
    @router.post("/import")
    async def import_records(
        request: Request,
        tenant: Tenant,
        licence: Licence | None = None,
        provenance: Provenance | None = None,
    ) -> dict[str, Any]:
        """Store each line of a JSONL body; bad lines are named, the others are kept.

        Beyond the records of the tenant's day the rest is refused, and what was stored stays.
        """
        body = await request.body()
        digest = sha256(body).hexdigest()
        origin = Origin(sha256=digest, licence=licence, provenance=provenance)
        store = partial(import_lines, memory, tenant, entries(io.BytesIO(body)), origin=origin)
        room = partial(allowance.records, tenant)
        report = await memory.aside.importing.run(store, room=room)
        return _import_object(report)

    @router.get("/export")
    def export_records(tenant: Tenant, state: State | None = None) -> StreamingResponse:
        """Return all records as JSONL, oldest first; `import` reads it back."""
        lines = export_lines(memory, tenant, state)
        # The first line is read here: a storage that fails is a 503 as long as nothing is sent.
        whole = chain([first] if (first := next(lines, None)) else [], lines)
        headers = {"content-disposition": 'attachment; filename="whet-memory.jsonl"'}
        body = _ended(whole)
        return StreamingResponse(body, media_type="application/x-ndjson", headers=headers)


def _ended(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line + "\n"


def _import_object(report: ImportReport) -> dict[str, Any]:
    if report.stopped:
        raise ApiError(
            503,
            f"{report.stored} lines are stored, then: {report.stopped}. {AGAIN}",
        )
    errors = [{"line": line, "message": reason} for line, reason in report.errors[:MAX_ERRORS]]
    counts = report.model_dump(include={"imported", "confirmed", "quarantined", "failed"})
    pairs = [{"line": line, "contradicts": other} for line, other in report.contradictions]
    return {"object": "memory.import", **counts, "errors": errors, "contradictions": pairs}
