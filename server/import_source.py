"""Where lines for memory come from: a file as people have it, packed or not, or standard input."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from server.terminal import CommandError

GZIP = b"\x1f\x8b"
"""What such a file begins with."""


@contextmanager
def source(name: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """Open a file, or stdin, and say how many lines it has where that can be known."""
    if name == "-":
        yield sys.stdin.buffer, None
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 (errors of the block are not ours to name)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}") from error
    with stream:
        if not stream.seekable():  # a named pipe can be read only once
            yield stream, None
        elif stream.peek(len(GZIP))[: len(GZIP)] == GZIP:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=stream)), None
        else:
            yield stream, _count(stream)


def _count(stream: BinaryIO) -> int | None:
    """Return how many lines a file has, None where its entries are not in lines."""
    from memory.lines.stream import is_lines

    total = None
    if is_lines(stream.read(64)):
        stream.seek(0)
        total = sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(2**20), b""))
    stream.seek(0)
    return total
