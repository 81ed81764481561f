"""A clock that is wrong deletes nothing that a right one would keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from memory.history.completions import CompletionLog
from memory.history.retention import CONFIRM_S, Retention
from memory.store.database import Database, open_database
from memory.types import Completion

DAY_S = 86_400.0


@dataclass
class Clocks:
    """A wall clock that may be set, and a steady one that goes on."""

    wall_s: float
    steady_s: float = 500.0

    def pass_by(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks(time.time())


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    opened = open_database(data_dir)
    yield opened
    opened.close()


def log_at(database: Database, clocks: Clocks) -> CompletionLog:
    retention = Retention(30, lambda: clocks.wall_s, lambda: clocks.steady_s)
    return CompletionLog(database, retention=retention)


def note(log: CompletionLog, completion: Callable[..., Completion], count: int) -> None:
    for number in range(count):
        log.append(completion(f"c{number}"))
    assert log.flush()


def test_a_clock_that_jumps_ahead_deletes_nothing_and_is_believed_after_a_day(
    database: Database, clocks: Clocks, completion: Callable[..., Completion]
) -> None:
    log = log_at(database, clocks)
    note(log, completion, 5)
    clocks.wall_s += 60 * DAY_S
    assert log.prune() == 0
    clocks.wall_s -= 60 * DAY_S
    assert log.prune() == 0
    assert log.get("ann", "c0")
    clocks.wall_s += 60 * DAY_S
    assert log.prune() == 0
    clocks.pass_by(CONFIRM_S)
    assert log.prune() == 0, "the clock is believed, but most of the log would go"
    clocks.pass_by(CONFIRM_S)
    assert log.prune() == 5
    log.close()


def test_a_clock_that_was_ahead_at_the_start_does_not_empty_the_log(
    database: Database, clocks: Clocks, completion: Callable[..., Completion]
) -> None:
    log = log_at(database, clocks)
    note(log, completion, 5)
    log.close()
    clocks.wall_s += 60 * DAY_S
    again = log_at(database, clocks)
    assert again.prune() == 0
    clocks.pass_by(CONFIRM_S / 2)
    assert again.prune() == 0
    assert again.get("ann", "c4")
    clocks.pass_by(CONFIRM_S / 2)
    assert again.prune() == 5, "after a day it is no fault of the clock"
    again.close()


def test_time_that_passes_deletes_what_is_too_old(
    database: Database, clocks: Clocks, completion: Callable[..., Completion]
) -> None:
    log = log_at(database, clocks)
    note(log, completion, 4)
    clocks.pass_by(29 * DAY_S)
    assert log.prune() == 0
    clocks.pass_by(2 * DAY_S)
    assert log.prune() == 0
    clocks.pass_by(CONFIRM_S)
    assert log.prune() == 4
    log.close()


def test_a_clock_that_is_set_back_keeps_everything(
    database: Database, clocks: Clocks, completion: Callable[..., Completion]
) -> None:
    log = log_at(database, clocks)
    note(log, completion, 4)
    clocks.pass_by(31 * DAY_S)
    clocks.wall_s -= 10 * DAY_S
    assert log.prune() == 0
    assert log.get("ann", "c0")
    log.close()
