"""`/v1/batches`: many requests in a file, answered while nobody waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from memory.errors import NotFoundError
from memory.history.files import StoredFile
from memory.offline.batch import Batch, BatchDetails, NewBatch, Status
from memory.offline.batches import BatchStore
from memory.types import Frozen
from server.batches.requests import ENDPOINTS
from server.refusals.errors import ApiError
from server.requests.metadata import Metadata
from server.routes.expiry import ExpiresAfter
from server.routes.paging import OPAQUE_ID, Id, list_object
from server.tenancy.principal import Tenant

WINDOW_S = 86_400.0
PURPOSE = "batch"
"""Purpose of the files whose lines are requests."""
FILE_PARAM = "input_file_id"
MOST_OPEN = 100
"""Batches of a tenant that are not done."""


class NewBatchBody(Frozen):
    """A batch that is to be made."""

    input_file_id: Annotated[str, Field(pattern=OPAQUE_ID)]
    endpoint: str
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: ExpiresAfter | None = None


def batch_object(batch: Batch) -> dict[str, Any]:
    """Return a batch as OpenAI shows it."""
    details = batch.details
    moments = {
        f"{status}_at": int(at) if (at := batch.moments.get(status)) else None
        for status in Status
        if status is not Status.VALIDATING
    }
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": details.errors} if details.errors else None,
        "input_file_id": batch.input_file_id,
        "completion_window": details.completion_window,
        "status": batch.status.value,
        "output_file_id": details.output_file_id,
        "error_file_id": details.error_file_id,
        "created_at": int(batch.moments[Status.VALIDATING]),
        "expires_at": int(batch.expires_at),
        **moments,
        "request_counts": {
            "total": batch.total,
            "completed": batch.completed,
            "failed": batch.failed,
        },
        "metadata": details.metadata,
    }


def batches_router(store: BatchStore, changed: Callable[[], object]) -> APIRouter:
    """Return the routes; `changed` is called when there is something to be done."""
    router = APIRouter(prefix="/v1/batches", tags=["batches"])

    @router.post("")
    def create_batch(body: NewBatchBody, tenant: Tenant) -> dict[str, Any]:
        """Have the requests of a file answered, within a day."""
        made = _made(store, _asked(body, tenant))
        changed()
        return batch_object(made)

    @router.get("")
    def list_batches(
        tenant: Tenant,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[str | None, Query(pattern=OPAQUE_ID)] = None,
    ) -> dict[str, Any]:
        """List the batches, newest first."""
        found = store.list(tenant, limit + 1, after)
        return list_object(
            [batch_object(each) for each in found[:limit]], has_more=len(found) > limit
        )

    @router.get("/{batch_id}")
    def get_batch(batch_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return how far a batch is."""
        return batch_object(store.get(tenant, batch_id))

    @router.post("/{batch_id}/cancel")
    def cancel_batch(batch_id: Id, tenant: Tenant) -> dict[str, Any]:
        """End a batch; what has been answered is kept."""
        found = store.cancel(tenant, batch_id)
        changed()
        return batch_object(found)

    return router


def _made(store: BatchStore, asked: NewBatch) -> Batch:
    try:
        return store.create(asked, MOST_OPEN, _check_file)
    except NotFoundError as error:
        raise ApiError(404, f"`{FILE_PARAM}`: {error}", param=FILE_PARAM) from error


def _check_file(file: StoredFile) -> None:
    if file.purpose != PURPOSE:
        words = f"the file has the purpose {file.purpose}: upload it with {PURPOSE}"
        raise ApiError(400, f"`{FILE_PARAM}`: {words}", param=FILE_PARAM)


def _asked(body: NewBatchBody, tenant: str) -> NewBatch:
    if body.endpoint not in ENDPOINTS:
        words = f"`endpoint` must be one of {', '.join(ENDPOINTS)}"
        raise ApiError(400, words, param="endpoint")
    kept = body.output_expires_after
    details = BatchDetails(
        metadata=body.metadata,
        completion_window=body.completion_window,
        output_expires_s=None if kept is None else kept.seconds,
    )
    return NewBatch(
        tenant=tenant,
        endpoint=body.endpoint,
        input_file_id=body.input_file_id,
        details=details,
        seconds=WINDOW_S,
    )
