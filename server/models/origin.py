"""What a model's folder says of where it came from: a file beside the weights."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from memory.types import Frozen

FILE_NAME = "whet-model.json"


class Origin(Frozen):
    """Written last, into a folder that is whole."""

    name: str
    """What records and adapters call the model, wherever its folder lies."""
    source: str
    """The package, or the file, that it was made of."""
    sha256: str
    """SHA-256 of the GGUF file, hexadecimal."""
    licence: str | None

    def write(self, folder: Path) -> None:
        """Put it beside the weights."""
        (folder / FILE_NAME).write_text(self.model_dump_json(indent=2) + "\n", "utf-8")


def origin_of(folder: Path) -> Origin | None:
    """Return what a folder says of itself; None where it is not one that Whet made."""
    try:
        return Origin.model_validate_json((folder / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None
