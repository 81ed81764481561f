"""Lines read by processes beside the storing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

import pytest

from memory.errors import InvalidImportError
from memory.lines import Line, ahead, parse_line
from memory.lines.ahead import BATCH, ReadAhead
from memory.lines.reader import Outcome, Reader, read_all

READ = partial(parse_line, tenant="ann", trust=False)
STARTS_S = 120


def lines(count: int) -> list[str | bytes]:
    """Good lines, bad ones and blank ones."""
    made: list[str | bytes] = []
    for number in range(count):
        told = {"question": f"q{number}", "answer": str(number), "rationale": f"It is {number}."}
        made.append(json.dumps(told))
        if number % 7 == 0:
            made += ["", b"\xff{", json.dumps({**told, "answer": str(number + 1)})]
    return made


def plain(outcomes: list[Outcome]) -> list[Any]:
    """Errors have no equality of their own."""
    return [str(each) if isinstance(each, InvalidImportError) else each for each in outcomes]


@pytest.fixture
def reader() -> Iterator[Reader]:
    started = Reader(READ)
    started.started.result(STARTS_S)
    yield started
    started.close()


def test_a_process_reads_as_this_one_does_and_another_reads_for_it_when_it_dies(
    reader: Reader,
) -> None:
    batch = lines(50)
    here = plain(read_all(batch, READ))
    assert {type(each) for each in here} == {Line, str, type(None)}
    assert plain(reader.begin(batch).result(STARTS_S)) == here
    os.kill(reader._process.pid, signal.SIGKILL)
    assert plain(reader.begin(batch).result(STARTS_S)) == here
    assert plain(reader.begin(batch).result(STARTS_S)) == here


def test_what_comes_of_lines_keeps_their_order_whoever_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "SHORT", 0)
    read_elsewhere = 0
    given = lines(4 * BATCH)
    with ReadAhead(READ, 1) as readers:
        outcomes = []
        for outcome in readers.outcomes(given):
            outcomes.append(outcome)
            if len(outcomes) == BATCH:
                (reader,) = readers._readers
                reader.started.result(STARTS_S)
            read_elsewhere = max(read_elsewhere, len(readers._readers[0]._waiting))
        process = reader._process
    assert read_elsewhere
    assert plain(outcomes) == plain(read_all(given, READ))
    assert process.poll() is not None


def test_a_source_that_breaks_off_is_told_after_all_that_came_before() -> None:
    def broken() -> Iterator[str | bytes]:
        yield from lines(BATCH)[: BATCH + 3]
        raise InvalidImportError("the file breaks off")

    outcomes = ReadAhead(READ, 0).outcomes(broken())
    assert len(list(islice(outcomes, BATCH + 3))) == BATCH + 3
    with pytest.raises(InvalidImportError, match="breaks off"):
        next(outcomes)
