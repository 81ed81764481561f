"""`DELETE /v1/memory/records/{id}` and the certificate of it."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter

from memory.memory import LongTermMemory
from server.erasure.certificate import certificate
from server.erasure.eraser import Eraser
from server.erasure.signing import SigningKey
from server.routes.paging import Id
from server.tenancy.principal import Caller, Tenant


def erasure_router(memory: LongTermMemory, eraser: Eraser) -> APIRouter:
    """Return the routes; a key for signatures is made at the first certificate."""
    router = APIRouter(prefix="/v1/memory/records", tags=["memory"])

    @router.delete("/{record_id}")
    def erase_record(
        record_id: Id, caller: Caller, adapters: Literal["retire", "keep"] = "retire"
    ) -> dict[str, Any]:
        """Erase a record for good; adapters that learned from it are retired, or only named."""
        by = caller.key_id or "a request without a key"
        done = eraser.forget(caller.tenant, record_id, by, retires=adapters == "retire")
        return {
            "object": "memory.record.deleted",
            "id": done.record.id,
            "deleted": True,
            "adapters": [version.id for version in done.learned],
            "retired": [version.id for version in done.learned if version.retired is not None],
            "champion": done.champion,
            "alike": list(done.alike),
        }

    @router.get("/{record_id}/certificate")
    def get_certificate(record_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return a signed statement of what an erasure removed."""
        return certificate(memory, SigningKey.of_folder(memory.data_dir), tenant, record_id)

    return router
