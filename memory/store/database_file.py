"""The file behind a connection: whether it is still the one at the path, and as SQLite left it.

A connection goes on reading and writing a file that was deleted or moved away, and answers from its
cache when something else has written over it: what it acknowledges then is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HEADER_BYTES = 100
COUNTER = slice(24, 28)
"""SQLite's change counter (file format, section 1.3.7): another after every commit, but in WAL."""


@dataclass(frozen=True)
class Stamp:
    """A file as it was last seen."""

    file: tuple[int, int]
    """Device and inode."""
    size: int
    mtime_ns: int
    header: bytes

    def is_overwritten_as(self, found: Stamp) -> bool:
        """Whether the file is the same and was changed by something that is not SQLite."""
        is_same = found.file == self.file
        return is_same and found != self and found.header[COUNTER] == self.header[COUNTER]


def stamp_of(path: Path) -> Stamp | None:
    """Return what the file at `path` is now; None where there is none. Raises OSError."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
        found = path.stat()
    except FileNotFoundError:
        return None
    return Stamp((found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns, header)


def file_at(path: Path) -> tuple[int, int] | None:
    """Return device and inode of what is at `path`; None where there is nothing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
