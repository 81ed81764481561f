"""From a stream of bytes to the entries in it: JSON lines, or the one array that a file is.

Entries are bounded, so that no file fills the memory. A file of another kind is refused as a whole.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from gzip import BadGzipFile
from typing import Any, BinaryIO

from memory.errors import InvalidImportError
from memory.lines.parse import MAX_LINE_BYTES

CHUNK_BYTES = 1 << 20
KINDS: Sequence[tuple[re.Pattern[bytes], str]] = tuple(
    (re.compile(pattern, re.DOTALL), told)
    for pattern, told in (
        (rb"\x1f\x8b|PK\x03\x04|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "compressed: unpack it first"),
        (rb"\xff\xfe|\xfe\xff", "in UTF-16: save it as UTF-8"),
        (rb"PAR1", "a Parquet file: write it as JSON lines first"),
        (rb"(?:\xef\xbb\xbf)?\s*\{\s*\n", "one JSON object over several lines: make it JSON lines"),
    )
)
"""What a file begins with that holds no lines, and what it then is."""
_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[")
_BETWEEN = re.compile(r"\s*[\[,]?\s*")


def entries(stream: BinaryIO) -> Iterator[str | bytes]:
    """Yield the lines of a stream, or the elements of the array that it is.

    Raises `InvalidImportError` for a file of another kind, and where nothing more can be read.
    """
    peekable: Any = stream if hasattr(stream, "peek") else io.BufferedReader(stream)
    try:
        head = peekable.peek(64)
        if told := next((told for kind, told in KINDS if kind.match(head)), None):
            raise InvalidImportError(f"the file is {told}")
        yield from _elements(peekable) if _ARRAY.match(head) else bounded_lines(peekable)
    except (EOFError, BadGzipFile, zlib.error) as error:
        raise InvalidImportError(f"the compressed file cannot be read on: {error}") from error


def is_lines(head: bytes) -> bool:
    """Whether what begins so has an entry in each line."""
    return not _ARRAY.match(head)


def bounded_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a stream, cut where they exceed the limit: no line fills the memory."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES)
        yield line


def _elements(stream: BinaryIO) -> Iterator[str]:
    """Yield an array's elements as they stand, with bytes that are no UTF-8 for each to refuse."""
    decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
    parse = json.JSONDecoder().raw_decode
    text, at, more = "", 0, True
    while True:
        at = _end_of(_BETWEEN, text, at)
        if text[at : at + 1] == "]":
            return _refuse_more(text[at + 1 :], stream)
        try:
            _, end = parse(text, at)
        except (ValueError, RecursionError) as error:
            if not more or len(text) - at > MAX_LINE_BYTES:
                told = "the array breaks off here, or is no JSON: nothing after it was read"
                raise InvalidImportError(told) from error
            chunk = stream.read(CHUNK_BYTES)
            more = bool(chunk)
            text, at = text[at:] + decode(chunk, not more), 0
            continue
        yield text[at:end]
        at = end


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _refuse_more(text: str, stream: BinaryIO) -> None:
    if text.strip() or stream.read(CHUNK_BYTES).strip():
        raise InvalidImportError("something follows the array's end, and was not read")
