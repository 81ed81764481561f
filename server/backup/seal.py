"""The end of an archive: a hash of every byte before it.

It is a gzip member of its own that unpacks to nothing and has the hash as its comment (RFC 1952,
section 2.3.1), so that `tar xzf` reads the archive too. A byte that was changed anywhere, the seal
included, is noticed, and so is an end that is missing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import BinaryIO

from server.backup.errors import UnfitArchiveError

MAGIC = b"\x1f\x8b"
_HEAD = MAGIC + b"\x08\x10" + bytes(5) + b"\xff" + b"whet backup, sha256 of what comes before: "
_TAIL = b"\0\x03\0" + bytes(8)
SEAL_BYTES = len(_HEAD) + 64 + len(_TAIL)
CHUNK_BYTES = 1 << 20


def seal(sha256: str) -> bytes:
    """Return what closes an archive of this hash."""
    return _HEAD + sha256.encode() + _TAIL


class Sealing:
    """A stream to write an archive to; `close` adds the seal and leaves the stream open."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write on."""
        self._stream.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Hand on what the stream still holds."""
        self._stream.flush()

    def close(self) -> None:
        """Close the archive."""
        self.write(seal(self._digest.hexdigest()))
        self.flush()


def check_seal(stream: BinaryIO, advance: Callable[[int, int], None]) -> None:
    """Read an archive to its end, then go back to its beginning.

    Raises `UnfitArchiveError` where a byte is another or missing. `advance` is told how many bytes
    were read, and of how many.
    """
    is_gzip = stream.read(len(MAGIC)) == MAGIC
    total = stream.seek(0, os.SEEK_END) - SEAL_BYTES
    stream.seek(0)
    if not is_gzip:
        raise UnfitArchiveError("it is no archive of `whet backup`: name one")
    digest, done = hashlib.sha256(), 0
    while done < total and (chunk := stream.read(min(CHUNK_BYTES, total - done))):
        digest.update(chunk)
        done += len(chunk)
        advance(done, total)
    if total <= 0 or stream.read() != seal(digest.hexdigest()):
        raise UnfitArchiveError(
            "it is cut short, damaged or no backup: copy it again, or take another backup"
        )
    stream.seek(0)
