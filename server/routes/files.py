"""`/v1/files`: OpenAI's files. What is in them is used by batches and fine-tuning alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from memory.history.files import PART_BYTES, FileStore, NewFile, StoredFile
from server.refusals.errors import ApiError
from server.routes.expiry import expires_at
from server.routes.paging import OPAQUE_ID, Id, list_object
from server.tenancy.principal import Tenant

Purpose = Literal["batch", "user_data", "assistants", "fine-tune", "vision", "evals"]
MostBytes = Callable[[str], Awaitable[int | None]]
MAX_NAME = 255


def file_object(file: StoredFile) -> dict[str, Any]:
    """Return a file as OpenAI shows it."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created_at),
        "expires_at": None if file.expires_at is None else int(file.expires_at),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
    }


def files_router(store: FileStore, most_bytes: MostBytes) -> APIRouter:
    """Return the routes; `most_bytes` is what all files of a tenant may come to."""
    router = APIRouter(prefix="/v1/files", tags=["files"])
    _add_writing(router, store, most_bytes)
    _add_reading(router, store)
    return router


def _add_writing(router: APIRouter, store: FileStore, most_bytes: MostBytes) -> None:
    @router.post("")
    async def upload_file(
        file: UploadFile,
        purpose: Annotated[Purpose, Form()],
        tenant: Tenant,
        anchor: Annotated[str | None, Form(alias="expires_after[anchor]")] = None,
        seconds: Annotated[str | None, Form(alias="expires_after[seconds]")] = None,
    ) -> dict[str, Any]:
        """Keep a file."""
        new = NewFile(
            tenant=tenant,
            name=_name(file.filename),
            purpose=purpose,
            expires_at=expires_at(anchor, seconds),
        )
        content = iter(lambda: file.file.read(PART_BYTES), b"")
        most = await most_bytes(tenant)
        return file_object(await run_in_threadpool(store.create, new, content, most))

    @router.delete("/{file_id}")
    def delete_file(file_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Erase a file."""
        store.delete(tenant, file_id)
        return {"id": file_id, "object": "file", "deleted": True}


def _add_reading(router: APIRouter, store: FileStore) -> None:
    @router.get("")
    def list_files(
        tenant: Tenant,
        purpose: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
        after: Annotated[str | None, Query(pattern=OPAQUE_ID)] = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> dict[str, Any]:
        """List the files, newest first."""
        found = store.list(tenant, purpose=purpose, limit=limit + 1, after=after, order=order)
        page = [file_object(each) for each in found[:limit]]
        return list_object(page, has_more=len(found) > limit)

    @router.get("/{file_id}")
    def get_file(file_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return what is known of a file."""
        return file_object(store.get(tenant, file_id))

    @router.get("/{file_id}/content")
    def get_content(file_id: Id, tenant: Tenant) -> StreamingResponse:
        """Return what is in a file."""
        parts = store.content(tenant, file_id)
        first = next(parts, b"")  # a file that is not there is a 404 as long as nothing is sent
        size = store.get(tenant, file_id).bytes
        headers = {
            "content-length": str(size),
            "content-disposition": "attachment",
            "x-content-type-options": "nosniff",
        }
        body: Iterator[bytes] = chain([first], parts)
        return StreamingResponse(body, media_type="application/octet-stream", headers=headers)


def _name(given: str | None) -> str:
    name = (given or "").encode("utf-8", "replace").decode()
    if not 0 < len(name) <= MAX_NAME:
        raise ApiError(400, f"`file` needs a name of at most {MAX_NAME} characters", param="file")
    return name
