"""Files as they come: lines, arrays, packed, cut off, or of another kind."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.errors import InvalidImportError
from memory.jsonl import import_lines
from memory.lines import MAX_LINE_BYTES, entries
from memory.lines import stream as streams
from memory.memory import LongTermMemory

ONE, TWO = {"question": "1+1?", "answer": "2"}, {"question": "2+2?", "answer": "4"}
LINES = f"{json.dumps(ONE)}\n{json.dumps(TWO)}\n".encode()


def imported(memory: LongTermMemory, data: bytes) -> tuple[int, list[tuple[int, str]]]:
    report = import_lines(memory, "ann", entries(io.BytesIO(data)))
    return report.imported, list(report.errors)


@pytest.mark.parametrize(
    "data",
    [
        LINES,
        b"\xef\xbb\xbf" + LINES,
        LINES.replace(b"\n", b"\r\n"),
        b"\n\n" + LINES.replace(b"\n", b"\n\n").rstrip(),
        json.dumps([ONE, TWO]).encode(),
        b"\xef\xbb\xbf\r\n" + json.dumps([ONE, TWO], indent=2).encode() + b"\n\n",
    ],
)
def test_lines_and_arrays_are_read_alike(memory: LongTermMemory, data: bytes) -> None:
    assert imported(memory, data) == (2, [])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (gzip.compress(LINES, mtime=0), "compressed"),
        (b"PK\x03\x04...", "compressed"),
        (LINES.decode().encode("utf-16"), "UTF-16"),
        (b"PAR1...", "Parquet"),
        (json.dumps({"data": [ONE]}, indent=2).encode(), "several lines"),
    ],
)
def test_a_file_of_another_kind_is_told_once(
    memory: LongTermMemory, data: bytes, told: str
) -> None:
    stored, ((number, reason),) = imported(memory, data)
    assert (stored, number, told in reason) == (0, 1, True)


def test_what_breaks_off_keeps_what_came_before_and_names_the_place(
    memory: LongTermMemory,
) -> None:
    array = json.dumps([ONE, TWO]).encode()
    for cut in (array[:-1], array[:-9], array + b"{}", array[:-1] + b", nonsense]"):
        report = import_lines(memory, "ann", entries(io.BytesIO(cut)))
        whole = 1 if cut == array[:-9] else 2
        assert report.stored == whole
        ((number, reason),) = report.errors
        assert (number, "not read" in reason or "nothing after" in reason) == (whole + 1, True)
    packed = gzip.compress(LINES * 2000)
    cut_off = cast(BinaryIO, gzip.GzipFile(fileobj=io.BytesIO(packed[: len(packed) // 2])))
    report = import_lines(memory, "bob", entries(cut_off))
    assert report.stored > 0
    assert "compressed file cannot be read on" in report.errors[-1][1]


def test_an_element_that_is_none_is_named_and_the_others_are_kept(memory: LongTermMemory) -> None:
    bad = json.dumps([ONE, 7, {"question": "?"}, TWO]).encode().replace(b'"?"', b'"\xff"')
    stored, errors = imported(memory, bad)
    assert stored == 2
    assert [number for number, _ in errors] == [2, 3]
    assert "UTF-8" in errors[1][1]


def test_an_element_is_bounded_as_a_line_is() -> None:
    endless = io.BytesIO(b'[{"question": "' + b"x" * (9 * MAX_LINE_BYTES))
    source = io.BufferedReader(cast(io.RawIOBase, endless))
    with pytest.raises(InvalidImportError, match="breaks off"):
        list(entries(cast(BinaryIO, source)))
    assert source.tell() <= MAX_LINE_BYTES + 2 * streams.CHUNK_BYTES


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=9))
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_every_element_of_an_array_is_read_whatever_it_is_cut_into(
    chunk: int, values: list[dict[str, Any]]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(streams, "CHUNK_BYTES", chunk)
        found = list(entries(io.BytesIO(json.dumps(values, ensure_ascii=False).encode(
            errors="surrogatepass"))))  # fmt: skip
    assert [json.loads(text) for text in found] == values
