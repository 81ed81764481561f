"""What is erased is gone: from the records, the completions, the votes and the queues."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection

from memory.erasure.unerased import SKEW_S
from memory.errors import NotFoundError, StorageUnavailableError
from memory.memory import LongTermMemory
from memory.store.scope import Scope
from memory.types import Completion, Draft, Message, PastVote, Record
from tests.memory.older import drop_later_tables

Build = Callable[..., Draft]
Note = Callable[..., Completion]
SECRET = "where is the zanzibar file?"


def texts(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("whet.db*"))


@pytest.fixture
def record(memory: LongTermMemory, draft: Build) -> Record:
    return memory.save(draft(SECRET)).record


def conversation(*contents: str) -> tuple[Message, ...]:
    roles = ("user", "assistant")
    return tuple(Message(role=roles[n % 2], content=text) for n, text in enumerate(contents))


@pytest.mark.parametrize(
    "messages",
    [
        conversation(SECRET),
        conversation("Where is  the ZANZIBAR file?"),
        (Message(role="system", content="Be brief."), *conversation(SECRET)),
        conversation(SECRET, "It is 4.", "And the other one?"),
        conversation("Hello", "Hi!", SECRET),
    ],
)
@pytest.mark.parametrize("is_written", [True, False])
def test_every_completion_that_holds_the_question_goes_with_it(
    memory: LongTermMemory,
    record: Record,
    completion: Note,
    tmp_path: Path,
    messages: tuple[Message, ...],
    is_written: bool,
) -> None:
    vote = PastVote(leader=3, runner_up=1, rest=0)
    told = completion("c1", task="other", vote=vote).model_copy(update={"messages": messages})
    kept = completion("c2", "another question", text="zebra", vote=vote)
    for item in (told, kept, told.model_copy(update={"tenant": "bob"})):
        memory.completions.append(item)
    if is_written:
        assert memory.completions.flush()
    memory.forget("ann", record.id)
    assert memory.completions.flush()
    with pytest.raises(NotFoundError):
        memory.completions.get("ann", "c1")
    assert memory.completions.get("ann", "c2").text == "zebra"
    assert memory.completions.get("bob", "c1"), "another tenant's is another tenant's"
    assert memory.votes.count("ann", trained=False).total() == 1
    assert memory.votes.count("bob", trained=False).total() == 1


@pytest.mark.sqlite
def test_nothing_of_the_question_stays_in_the_file(
    memory: LongTermMemory, record: Record, completion: Note, tmp_path: Path
) -> None:
    memory.completions.append(completion("c1", SECRET))
    long = conversation(SECRET, "4", "x" * 200_000)
    memory.completions.append(completion("c2").model_copy(update={"messages": long}))
    assert memory.completions.flush()
    assert b"zanzibar" in texts(tmp_path)
    memory.forget("ann", record.id)
    assert b"zanzibar" not in texts(tmp_path)


def test_an_erasure_waits_for_a_group_under_way_and_says_when_that_does_not_end(
    memory: LongTermMemory,
    record: Record,
    completion: Note,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("memory.history.completions.ERASE_WAIT_S", 0.2)
    begun, let_go = threading.Event(), threading.Event()
    writing = memory._database.writing

    @contextmanager
    def held(of: Scope) -> Iterator[Connection]:
        begun.set()
        assert let_go.wait(60)
        with writing(of) as connection:
            yield connection

    monkeypatch.setattr(memory._database, "writing", held)
    memory.completions.append(completion("c1", SECRET))
    assert begun.wait(60)
    with pytest.raises(StorageUnavailableError, match="nothing was erased"):
        memory.forget("ann", record.id)
    let_go.set()
    assert memory.completions.flush()
    assert memory.get("ann", record.id).question == SECRET
    memory.forget("ann", record.id)
    with pytest.raises(NotFoundError):
        memory.completions.get("ann", "c1")


def test_what_is_queued_comes_back_where_the_database_refuses_to_erase(
    memory: LongTermMemory, record: Record, completion: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(tenant: str, record_id: str) -> Record:
        memory.completions.append(completion("meanwhile", SECRET))
        raise StorageUnavailableError("full")

    monkeypatch.setattr(memory._records, "erase", refuse)
    memory.completions.append(completion("c1", SECRET))
    with pytest.raises(StorageUnavailableError):
        memory.forget("ann", record.id)
    assert memory.completions.flush()
    assert memory.completions.get("ann", "c1")


def test_nothing_of_the_question_is_queued_while_it_is_erased(
    memory: LongTermMemory, record: Record, completion: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    erase = memory._records.erase

    def slowly(tenant: str, record_id: str) -> Record:
        memory.completions.append(completion("meanwhile", SECRET))
        return erase(tenant, record_id)

    monkeypatch.setattr(memory._records, "erase", slowly)
    memory.forget("ann", record.id)
    assert memory.completions.flush()
    with pytest.raises(NotFoundError):
        memory.completions.get("ann", "meanwhile")


def test_what_is_queued_while_another_process_erases_is_not_written(
    memory: LongTermMemory,
    record: Record,
    completion: Note,
    draft: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = memory.save(draft("what else?")).record
    memory.forget("ann", kept.id)  # here: it takes out what is of it alone
    memory.completions.append(completion("before", SECRET))
    memory.completions.append(completion("theirs", SECRET, tenant="bob"))
    theirs = LongTermMemory.open(tmp_path, memory.embedder)
    theirs.forget("ann", record.id)
    assert memory.completions.flush()
    with pytest.raises(NotFoundError):
        memory.completions.get("ann", "before")
    assert memory.completions.get("bob", "theirs").text
    ahead = memory.save(draft("what is next?")).record
    with monkeypatch.context() as patch:
        ahead_s = time.time() + 1e9
        patch.setattr("memory.erasure.erasures.time", SimpleNamespace(time=lambda: ahead_s))
        theirs.forget("ann", ahead.id)
    theirs.close()
    later = datetime.now(UTC) + timedelta(seconds=SKEW_S + 1)
    memory.completions.append(completion("later", "what else?", created_at=later))
    assert memory.completions.flush()
    assert memory.completions.get("ann", "later").text


def test_what_is_queued_while_something_else_is_erased_here_is_written(
    memory: LongTermMemory, record: Record, completion: Note
) -> None:
    memory.completions.append(completion("c1", "what else?"))
    memory.forget("ann", record.id)
    assert memory.completions.flush()
    assert memory.completions.get("ann", "c1").text


def test_completions_from_before_are_found_by_their_question(
    memory: LongTermMemory,
    record: Record,
    completion: Note,
    tmp_path: Path,
    raw: Callable[[Path], AbstractContextManager[Connection]],
) -> None:
    memory.completions.append(completion("c1", "WHERE is the Zanzibar file?"))
    assert memory.completions.flush()
    memory.close()
    with raw(tmp_path) as connection:
        for column in ("asked_hash", "conversation", "report", "request"):
            connection.exec_driver_sql(f"ALTER TABLE completion DROP COLUMN {column}")
        connection.exec_driver_sql("ALTER TABLE record DROP COLUMN request")
        drop_later_tables(connection)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    again = LongTermMemory.open(tmp_path, memory.embedder)
    again.forget("ann", record.id)
    with pytest.raises(NotFoundError):
        again.completions.get("ann", "c1")
    again.close()
