"""Where a run keeps what it found, a line as soon as something is known: so it can go on later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from loadtests.measure.loop import Asked, Generation
from memory.types import Frozen

Row = TypeVar("Row", bound=Frozen)


@dataclass(frozen=True)
class Place:
    """A folder: the memory, and two files of lines."""

    folder: Path

    @property
    def memory(self) -> Path:
        """Folder of the memory that grows, and of the adapters."""
        return self.folder / "memory"

    @property
    def generations(self) -> list[Generation]:
        """What became of generations so far."""
        return _rows(self.folder / "generations.jsonl", Generation)

    @property
    def asked(self) -> list[Asked]:
        """What versions said so far."""
        return _rows(self.folder / "asked.jsonl", Asked)

    def keep(self, row: Generation | Asked) -> None:
        """Add a line."""
        name = "generations" if isinstance(row, Generation) else "asked"
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.truncate(_whole(self.folder / f"{name}.jsonl"))
            file.write(row.model_dump_json() + "\n")


def _rows(path: Path, kind: type[Row]) -> list[Row]:
    """Read the lines; one that was cut off is not there."""
    if not path.exists():
        return []
    text = path.read_bytes()[: _whole(path)].decode()
    return [kind.model_validate_json(line) for line in text.splitlines()]


def _whole(path: Path) -> int:
    """Return the length of the lines that are whole, bytes."""
    return path.read_bytes().rfind(b"\n") + 1
