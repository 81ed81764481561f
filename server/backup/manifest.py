"""The manifest of a backup: what it holds, and which names it may hold at all.

It is the first member of the archive, so that what cannot be restored is refused before anything is
unpacked. Names are a closed set: none of them leads out of a folder.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError, field_validator

from memory.store.schema import SCHEMA_VERSION
from memory.types import Frozen
from server.backup.errors import UnfitArchiveError

NAME = "manifest.json"
FORMAT = 1
MAX_BYTES = 64 << 20
DATABASE = "whet.db"
SINGLE_FILES = ("secret", "signing-key", "tuned.json", "calibration.json", "tuning-trials.jsonl")
ADAPTERS = "adapters"
EVALUATIONS = "evaluations"
_VISIBLE = r"[^/.\x00-\x1f\ud800-\udfff][^/\x00-\x1f\ud800-\udfff]*"
_MEMBER = re.compile(
    "|".join(
        (
            re.escape(DATABASE),
            *map(re.escape, SINGLE_FILES),
            ADAPTERS + r"/ad_[0-9a-f]{12}/(adapter_config\.json|adapter_model\.safetensors)",
            EVALUATIONS + rf"/{_VISIBLE}\.jsonl",
        )
    )
)


def is_member(name: str) -> bool:
    """Whether a backup may hold a file of this name, relative to the data folder."""
    return _MEMBER.fullmatch(name) is not None


class Member(Frozen):
    """A file of the backup."""

    name: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(Frozen):
    """What a backup says of itself."""

    format: int = FORMAT
    schema_version: str = Field(pattern="^[0-9]{4}$")
    """Schema of the database."""
    whet: str
    """The version that made it."""
    created_at: datetime
    records: int = Field(ge=0)
    adapters: tuple[str, ...]
    left_out: tuple[str, ...]
    """Adapters whose files were missing or damaged."""
    members: tuple[Member, ...]

    @field_validator("members")
    @classmethod
    def _known_once_each(cls, members: tuple[Member, ...]) -> tuple[Member, ...]:
        names = [member.name for member in members]
        if strange := [name for name in names if not is_member(name)]:
            raise ValueError(f"{strange[0]!r} is no file of a data folder")
        if len(names) != len(set(names)) or DATABASE not in names:
            raise ValueError("its list of files is wrong")
        return members

    @property
    def held(self) -> str:
        """What it holds, in words."""
        adapters = len(self.adapters)
        return (
            f"{self.records} record{'s' * (self.records != 1)} and "
            f"{adapters} adapter{'s' * (adapters != 1)}"
        )

    @property
    def size_bytes(self) -> int:
        """Return the size of all files together."""
        return sum(member.size for member in self.members)


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest; `UnfitArchiveError` for a newer one, and for what is none."""
    try:
        found = json.loads(data)
        _refuse_newer(found)
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UnfitArchiveError(f"{NO_BACKUP}: {reason}") from error
    except (ValueError, RecursionError, TypeError, LookupError, OverflowError) as error:
        raise UnfitArchiveError(f"{NO_BACKUP}: its manifest cannot be read") from error


def _refuse_newer(found: Any) -> None:
    if int(found["format"]) > FORMAT:
        raise UnfitArchiveError(f"a newer Whet made it (format {found['format']}): upgrade Whet")
    if str(found["schema_version"]) > SCHEMA_VERSION:
        newer = f"schema {found['schema_version']}, newer than {SCHEMA_VERSION}"
        raise UnfitArchiveError(f"a newer Whet made it ({newer}): upgrade Whet")


NO_BACKUP = "it is not a backup that `whet backup` made"
