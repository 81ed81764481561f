"""A certificate: what was erased, when, what went with it, and who says so.

It holds no content, and names nothing of another tenant. What is signed is the statement as JSON in
one form: keys in order, no white space, ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memory.erasure.erasures import Erasure
from memory.errors import ConflictError, NotFoundError
from memory.file_hash import file_hash
from memory.memory import LongTermMemory
from memory.types import AdapterVersion, State
from memory.versions.adapter_files import CONFIG, WEIGHTS
from server.erasure.signing import SigningKey, is_signed
from server.version import installed_version

KIND = "whet.erasure.v1"
SEALED = "HMAC-SHA-256 of task, messages, request, answer and rationale, under the server's secret"
ALGORITHM = "Ed25519"


def certificate(
    memory: LongTermMemory, key: SigningKey, tenant: str, record_id: str
) -> dict[str, Any]:
    """Return a signed statement of a record's erasure.

    Raises `NotFoundError`, and `ConflictError` where the record is not, or not wholly, erased.
    """
    erasure = _ended(memory, tenant, record_id)
    statement = _statement(memory, erasure)
    signature = {
        "algorithm": ALGORITHM,
        "public_key": key.public,
        "value": key.sign(_message(statement)),
    }
    return {"statement": statement, "signature": signature}


def signer_of(document: Any) -> str | None:
    """Return the public key that a certificate is signed by, None where it is changed or none."""
    try:
        statement, signature = document["statement"], document["signature"]
        if statement["type"] != KIND or signature["algorithm"] != ALGORITHM:
            return None
        public, value = str(signature["public_key"]), str(signature["value"])
        return public if is_signed(_message(statement), value, public) else None
    except (KeyError, TypeError, ValueError):
        return None


def _ended(memory: LongTermMemory, tenant: str, record_id: str) -> Erasure:
    again = f"`whet memory forget {record_id}`"
    state = memory.get(tenant, record_id).state
    try:
        erasure = memory.erasures.get(tenant, record_id)
    except NotFoundError as error:
        if state is State.ERASED:
            raise ConflictError(
                f"{record_id} was erased before accounts were kept: {again} makes one"
            ) from error
        raise ConflictError(f"{record_id} is not erased: {again} erases it") from error
    if erasure.ended_at is None:
        raise ConflictError(
            f"the erasure of {record_id} is not complete: a server ends it in minutes, or {again}"
        )
    return erasure


def _statement(memory: LongTermMemory, erasure: Erasure) -> dict[str, Any]:
    learned = [v for v in memory.adapters.revoked_by(erasure.record_id) if _is_of(v, erasure)]
    return {
        "type": KIND,
        "tenant": erasure.tenant,
        "record": erasure.record_id,
        "digest": {"algorithm": SEALED, "value": erasure.digest},
        "begun_at": _moment(erasure.begun_at),
        "ended_at": _moment(erasure.ended_at or erasure.begun_at),
        "by": erasure.by,
        "removed": dict(erasure.removed),
        "generations": [_generation(memory, version) for version in learned],
        "not_reached": _not_reached(memory, erasure),
        "issued_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "whet": installed_version(),
    }


def _is_of(version: AdapterVersion, erasure: Erasure) -> bool:
    return version.tenant == erasure.tenant


def _generation(memory: LongTermMemory, version: AdapterVersion) -> dict[str, Any]:
    """Return what became of a version that learned from the record."""
    retired = version.retired
    told: dict[str, Any] = {"id": version.id, "base_model": version.base_model}
    told |= {"records": len(version.record_ids), "recipe": _recipe(version)}
    if retired is None:
        return told | {"weights": "kept", "retired_at": None, "rebuilt_as": None}
    rebuilt = None
    if retired.replaced_by is not None:
        rebuilt = _rebuilt(memory.adapters.show(version.tenant, retired.replaced_by))
    at = retired.at.isoformat(timespec="seconds")
    return told | {"weights": "deleted", "retired_at": at, "rebuilt_as": rebuilt}


def _rebuilt(version: AdapterVersion) -> dict[str, Any]:
    return {
        "id": version.id,
        "decision": version.metrics.get("decision"),
        "records": len(version.record_ids),
        "recipe": _recipe(version),
        "sha256": {name: _sha256(Path(version.path) / name) for name in (CONFIG, WEIGHTS)},
    }


def _recipe(version: AdapterVersion) -> Mapping[str, Any] | None:
    """Return how a version was trained, its seed included; None where that was not noted."""
    training = version.metrics.get("training")
    recipe = training.get("recipe") if isinstance(training, Mapping) else None
    return recipe if isinstance(recipe, Mapping) else None


def _not_reached(memory: LongTermMemory, erasure: Erasure) -> list[str]:
    """Return what may hold the record still, in words."""
    data_dir = memory.data_dir.absolute()
    aside = sorted(data_dir.parent.glob(f"{data_dir.name}.before-restore-*"))
    return [
        f"backups and exports made before {_moment(erasure.ended_at or erasure.begun_at)}",
        *(f"the folder {path.name}, which a restore moved aside" for path in aside),
    ]


def _sha256(path: Path) -> str | None:
    try:
        return file_hash(path)
    except OSError:  # it was retired itself since
        return None


def _message(statement: Any) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
