"""The search for a text in every file of the data folder, in the forms a program writes it in.

UTF-8, UTF-16, as a JSON string once or twice escaped, and base64 wherever it begins within three
bytes; packed with gzip as well. Files are read in pieces that overlap, whatever their size.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from memory.memory import LongTermMemory
from server.terminal import Advance

LEAST_CHARS = 8
"""Fewest characters of a text to look for: a shorter one is found by chance."""
PIECE_BYTES = 4 * 2**20
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Hit:
    """A place that holds the text."""

    file: str
    """Relative to the data folder."""
    place: str
    """A byte of the file, or a row of the database."""
    form: str


def forms_of(text: str) -> dict[bytes, str]:
    """Return the bytes that a text may be written as, each with the name of that form."""
    forms = {text.encode(): "UTF-8"}
    for is_ascii in (False, True):
        once = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
        forms.setdefault(once.encode(), "JSON")
        forms.setdefault(json.dumps(once, ensure_ascii=is_ascii)[1:-1].encode(), "JSON in JSON")
    for order in ("le", "be"):
        forms.setdefault(text.encode(f"utf-16-{order}"), "UTF-16")
    for shift in range(3):
        forms.setdefault(_base64(text.encode(), shift), "base64")
    return forms


def search(memory: LongTermMemory, data_dir: Path, text: str, advance: Advance) -> Iterator[Hit]:
    """Yield every place below the data folder, the database's tables included, with the text.

    `advance` is told how many bytes of the files are read, and of how many.
    """
    forms = forms_of(text)
    for trace in memory.traces(list(forms)):
        place = f"table {trace.table}, row {trace.row}, column {trace.column}"
        yield Hit("the database", place, "a value")
    files = sorted(path for path in data_dir.rglob("*") if _is_own(path))
    total, done = sum(map(_size, files)), 0
    for path in files:
        yield from _in_file(path, str(path.relative_to(data_dir)), forms)
        done += _size(path)
        advance(done, total)


def _in_file(path: Path, name: str, forms: Mapping[bytes, str]) -> Iterator[Hit]:
    try:
        with path.open("rb") as stream:
            is_packed = stream.read(len(GZIP)) == GZIP
            stream.seek(0)
            for place, form in _in_stream(stream, forms):
                yield Hit(name, f"byte {place}", form)
            if is_packed:
                yield from _in_gzip(path, name, forms)
    except FileNotFoundError:  # gone since it was listed
        return


def _in_gzip(path: Path, name: str, forms: Mapping[bytes, str]) -> Iterator[Hit]:
    try:
        with gzip.open(path) as stream:
            for place, form in _in_stream(stream, forms):
                yield Hit(name, f"byte {place}, unpacked", form)
    except (OSError, EOFError, zlib.error):  # it only begins like one
        return


def _in_stream(
    stream: BinaryIO | gzip.GzipFile, forms: Mapping[bytes, str]
) -> Iterator[tuple[int, str]]:
    """Yield where a stream holds each form first, once in each piece."""
    overlap = max(map(len, forms)) - 1
    start, tail = 0, b""
    while piece := stream.read(PIECE_BYTES):
        window = tail + piece
        for needle, form in forms.items():
            # What ends in the tail was told with the piece before.
            found = window.find(needle, max(0, len(tail) - len(needle) + 1))
            if found >= 0:
                yield start - len(tail) + found, form
        start += len(piece)
        tail = window[-overlap:] if overlap else b""


def _base64(data: bytes, shift: int) -> bytes:
    """Return the characters that do not depend on what stands before and behind `data`."""
    first = -(-shift * 8 // 6)
    whole = (shift + len(data)) * 8 // 6
    return base64.b64encode(b"\0" * shift + data)[first:whole]


def _is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
