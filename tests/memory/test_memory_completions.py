"""The completion log: queued, grouped, linked, pruned, and never in a request's way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memory.completions import CompletionLog
from memory.database import Database
from memory.errors import NotFoundError
from memory.types import Completion

Build = Callable[..., Completion]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def log(database: Database) -> Iterator[CompletionLog]:
    opened = CompletionLog(database, retention_days=1, capacity=50)
    yield opened
    opened.close()


def test_a_completion_is_found_at_once_and_after_a_restart(
    log: CompletionLog, database: Database, completion: Build
) -> None:
    log.append(completion("c1"))
    assert log.get("ann", "c1").text == "It is 4."
    log.close()
    found = CompletionLog(database).get("ann", "c1")
    assert found.created_at is not None
    assert found.model_copy(update={"created_at": None}) == completion("c1")


def test_another_tenant_does_not_see_it(log: CompletionLog, completion: Build) -> None:
    log.append(completion("c1"))
    with pytest.raises(NotFoundError):
        log.get("bob", "c1")
    assert log.flush()
    with pytest.raises(NotFoundError):
        log.get("bob", "c1")


def test_a_record_is_linked_whether_queued_or_written(
    log: CompletionLog, completion: Build
) -> None:
    log.append(completion("c1"))
    log.link_record("ann", "c1", "rec_1")
    assert log.flush()
    assert log.get("ann", "c1").record_id == "rec_1"
    log.link_record("ann", "c1", "rec_2")
    assert log.get("ann", "c1").record_id == "rec_2"
    log.link_record("ann", "unknown", "rec_3")


def test_appending_waits_for_no_database_and_a_full_queue_drops(
    log: CompletionLog,
    database: Database,
    completion: Build,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with database.writing():  # a slow disk: the writer thread cannot get on
        started = time.monotonic()
        for n in range(80):
            log.append(completion(f"c{n}"))
        assert time.monotonic() - started < 1.0
        assert log.get("ann", "c0")
    assert log.flush()
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    with pytest.raises(NotFoundError):
        log.get("ann", "c79")


def test_many_threads_share_few_commits(
    log: CompletionLog, database: Database, completion: Build
) -> None:
    threads = [threading.Thread(target=log.append, args=(completion(f"c{n}"),)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.flush()
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM completion").scalar() == 40


def test_old_completions_are_pruned(log: CompletionLog, completion: Build) -> None:
    old = datetime.now(UTC) - timedelta(days=2)
    log.append(completion("new"))
    assert log.flush()
    log.append(completion("old").model_copy(update={"created_at": old}))
    assert log.flush()
    assert log.prune() == 1
    assert log.get("ann", "new")


def test_nothing_is_taken_after_closing(log: CompletionLog, completion: Build) -> None:
    log.close()
    log.append(completion("late"))
    with pytest.raises(NotFoundError):
        log.get("ann", "late")
