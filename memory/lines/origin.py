"""Where the lines of a file are from: kept in the evidence of every record that comes of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from memory.file_hash import file_hash
from memory.types import Frozen

_NAME = r"[A-Za-z0-9][A-Za-z0-9.+:-]*"
SPDX = rf"^\(?{_NAME}\)?( (AND|OR|WITH) \(?{_NAME}\)?)*$"
"""An expression of licence names as SPDX 3.0 has them, such as `MIT OR CC-BY-4.0`."""
Licence = Annotated[str, Field(pattern=SPDX, max_length=200)]
Provenance = Annotated[str, Field(min_length=1, max_length=1000)]


class Origin(Frozen):
    """What is known of a file, or of one of its lines."""

    file: str | None = None
    """Its name, without the folder."""
    sha256: str | None = None
    """SHA-256 of its bytes as they came, packed or not; hexadecimal."""
    licence: Licence | None = None
    """Under which it may be used."""
    provenance: Provenance | None = None
    """In words: who made it, and where it was found."""

    def evidence(self) -> dict[str, Any]:
        """Return what is known as a record keeps it."""
        return self.model_dump(exclude_none=True)


NOWHERE = Origin()


def origin_of_line(line: Mapping[str, Any]) -> Origin:
    """Return what a line says of itself, which goes before what is known of its file."""
    said = {name: line[name] for name in ("licence", "provenance") if name in line}
    return Origin.model_validate(said)


def origin_of_file(name: str, licence: str | None, provenance: str | None) -> Origin:
    """Return what is known of a file; what comes through a pipe has neither name nor hash."""
    path = Path(name)
    if name == "-" or not path.is_file():
        return Origin(licence=licence, provenance=provenance)
    return Origin(file=path.name, sha256=file_hash(path), licence=licence, provenance=provenance)
