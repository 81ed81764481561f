"""The completion log: queued, grouped, linked, pruned, and never in a request's way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from memory.errors import NotFoundError, StorageUnavailableError
from memory.history.completions import TRIES, CompletionLog
from memory.rows import MAX_CHARACTERS, prompt_of
from memory.store.database import Database, open_database
from memory.store.schema import completion as completions
from memory.store.scope import EVERYONE, Scope
from memory.types import Completion, Message

Build = Callable[..., Completion]


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    opened = open_database(data_dir)
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
    with database.writing(EVERYONE):  # a slow disk: the writer thread cannot get on
        for n in range(80):
            log.append(completion(f"c{n}"))
        with database.reading(EVERYONE) as connection:
            written = connection.execute(select(func.count()).select_from(completions)).scalar()
        assert written == 0, "they were taken before any could be written"
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
    with database.reading(EVERYONE) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM completion").scalar() == 40


def test_old_completions_are_pruned(log: CompletionLog, completion: Build) -> None:
    old = datetime.now(UTC) - timedelta(days=2)
    log.append(completion("new"))
    assert log.flush()
    log.append(completion("old").model_copy(update={"created_at": old}))
    assert log.flush()
    assert log.prune() == 1
    assert log.get("ann", "new")


class Storage:
    """Fails commits as it is told, one error for each; None lets one through."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.errors: list[Exception | None] = []
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def writing(self, of: Scope) -> Iterator[Connection]:
        with self._database.writing(of) as connection:
            yield connection
            self.commits += 1
            error = self.errors.pop(0) if self.errors else None
            if error is not None:
                raise error


@pytest.fixture
def storage(database: Database, monkeypatch: pytest.MonkeyPatch) -> Storage:
    monkeypatch.setattr("memory.history.completions.PAUSE_S", 0.0)
    return Storage(database)


def test_a_commit_that_fails_is_tried_again(storage: Storage, completion: Build) -> None:
    log = CompletionLog(storage)
    storage.errors = [StorageUnavailableError("full"), StorageUnavailableError("full")]
    log.append(completion("c1"))
    assert log.flush()
    assert log.get("ann", "c1")
    log.close()


def test_a_storage_that_stays_broken_is_not_tried_for_ever(
    storage: Storage, completion: Build, caplog: pytest.LogCaptureFixture
) -> None:
    log = CompletionLog(storage)
    storage.errors = [StorageUnavailableError("full")] * TRIES
    log.append(completion("c1"))
    assert log.flush()
    with pytest.raises(NotFoundError):
        log.get("ann", "c1")
    log.append(completion("c2"))
    assert log.flush()
    assert log.get("ann", "c2"), "and what comes later is kept"
    assert len([r for r in caplog.records if "not kept" in r.message]) == 1
    log.close()


@pytest.mark.parametrize("error", [KeyError("a defect"), IntegrityError("", {}, KeyError())])
def test_one_completion_that_cannot_be_written_costs_no_other_and_not_the_writer(
    storage: Storage, completion: Build, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    log = CompletionLog(storage)
    storage.errors = [error, None, error, None]  # the group; then the first, second and third
    with storage.writing(EVERYONE):  # so that the three make one group
        storage.errors.insert(0, None)
        for name in ("c1", "c2", "c3"):
            log.append(completion(name))
    assert log.flush()
    assert log.get("ann", "c1")
    assert log.get("ann", "c3")
    with pytest.raises(NotFoundError):
        log.get("ann", "c2")
    log.append(completion("later"))
    assert log.flush()
    assert log.get("ann", "later")
    assert "cannot be written" in caplog.text
    log.close()


def test_a_failing_prune_does_not_end_the_writer(
    log: CompletionLog, completion: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> int:
        raise KeyError("a defect")

    monkeypatch.setattr(log, "prune", broken)
    for name in ("c1", "c2"):
        log.append(completion(name))
        assert log.flush()
        assert log.get("ann", name)


def test_feedback_is_not_noted_on_what_could_not_be_written(
    log: CompletionLog, completion: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "flush", lambda: False)
    log.append(completion("c1"))
    with pytest.raises(StorageUnavailableError):
        log.note_feedback("ann", "c1", {"verdict": "correct"})


def test_a_conversation_beyond_what_is_kept_leaves_its_hash(
    log: CompletionLog, database: Database, completion: Build
) -> None:
    long = "What of this? " + "x" * MAX_CHARACTERS
    log.append(completion("c1", long))
    assert log.flush()
    kept = log.get("ann", "c1")
    assert kept.messages == ()
    assert kept.conversation == prompt_of(completion("c1", long)).fingerprint
    with database.reading(EVERYONE) as connection:
        size = "SELECT length(CAST(messages AS TEXT)) + length(text) FROM completion"
        assert connection.exec_driver_sql(size).scalar_one() < MAX_CHARACTERS


LONG = "x" * MAX_CHARACTERS
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": LONG}}


@pytest.mark.parametrize("more", [{"tool_calls": (CALL,)}, {"reasoning": LONG}])
def test_calls_and_thoughts_are_part_of_what_a_conversation_holds(
    more: dict[str, Any], log: CompletionLog, completion: Build
) -> None:
    turns = (Message(role="user", content="q"), Message(role="assistant", content="", **more))
    log.append(completion("c1", messages=turns))
    assert log.flush()
    assert log.get("ann", "c1").messages == ()


def test_the_queue_is_bounded_by_what_it_holds(
    log: CompletionLog, database: Database, completion: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.history.completions.MAX_QUEUED_CHARACTERS", 1_000)
    with database.writing(EVERYONE):
        for n in range(5):
            log.append(completion(f"c{n}", "x" * 400))
    assert log.flush()
    assert log.get("ann", "c1")
    with pytest.raises(NotFoundError):
        log.get("ann", "c3")
    log.append(completion("later"))
    assert log.get("ann", "later")


def test_nothing_is_taken_after_closing(log: CompletionLog, completion: Build) -> None:
    log.close()
    log.append(completion("late"))
    with pytest.raises(NotFoundError):
        log.get("ann", "late")
