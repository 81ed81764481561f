"""Batches: each is held by one at a time; no answer is lost, and none is counted twice."""

from __future__ import annotations

import json
import time

import pytest

from memory.errors import ConflictError, NotFoundError
from memory.history.files import NewFile
from memory.memory import LongTermMemory
from memory.offline.batch import Answer, Batch, BatchDetails, NewBatch, Status


def made(memory: LongTermMemory, tenant: str = "ann", most: int = 10, **details: float) -> Batch:
    file = NewFile(tenant=tenant, name="in.jsonl", purpose="batch")
    given = NewBatch(
        tenant=tenant,
        endpoint="/v1/chat/completions",
        input_file_id=memory.files.create(file, [b"{}"]).id,
        details=BatchDetails(metadata={"of": "night"}, **details),
        seconds=60.0,
    )
    return memory.batches.create(given, most)


def answer(line: int, *, failed: bool = False) -> Answer:
    return Answer(line=line, failed=failed, content=json.dumps({"line": line}).encode())


def lines(memory: LongTermMemory, file_id: str | None) -> list[int]:
    assert file_id is not None
    text = b"".join(memory.files.content("ann", file_id)).decode()
    return [json.loads(line)["line"] for line in text.splitlines()]


def held(memory: LongTermMemory, lines: int = 4, **details: float) -> Batch:
    """Return a batch that "one" answers."""
    batch = made(memory, **details)
    assert memory.batches.claim("one") is not None
    return memory.batches.begin(batch.id, lines)


def ended(
    memory: LongTermMemory, batch: Batch, status: Status = Status.COMPLETED, *errors: dict[str, str]
) -> Batch:
    done = memory.batches.end(batch.id, "one", status, errors)
    assert done is not None
    return done


def test_a_batch_goes_its_way_and_its_files_are_in_order(memory: LongTermMemory) -> None:
    batch = held(memory)
    assert batch.status is Status.IN_PROGRESS
    memory.batches.note(batch.id, "one", [answer(3), answer(1)])
    memory.batches.note(batch.id, "one", [answer(4), answer(2, failed=True)])
    memory.batches.note(batch.id, "one", [answer(2), answer(3)])
    assert memory.batches.answered(batch.id) == {1, 2, 3, 4}
    done = ended(memory, batch)
    assert (done.total, done.completed, done.failed) == (4, 3, 1)
    assert lines(memory, done.details.output_file_id) == [1, 3, 4]
    assert lines(memory, done.details.error_file_id) == [2]
    assert done.details.metadata == {"of": "night"}
    order = ["validating", "in_progress", "finalizing", "completed"]
    assert sorted(done.moments, key=lambda status: done.moments[status]) == order
    assert memory.batches.get("ann", batch.id) == done
    assert memory.batches.claim("one") is None


def test_what_comes_after_the_end_or_from_another_changes_nothing(memory: LongTermMemory) -> None:
    batch = held(memory)
    memory.batches.note(batch.id, "other", [answer(1)])
    assert memory.batches.end(batch.id, "other", Status.COMPLETED) is None
    assert memory.batches.answered(batch.id) == set()
    done = ended(memory, batch)
    memory.batches.note(batch.id, "one", [answer(1)])
    assert memory.batches.end(batch.id, "one", Status.CANCELLED) is None
    assert memory.batches.hold(batch.id, "one") is None
    assert memory.batches.answered(batch.id) == set()
    assert memory.batches.get("ann", batch.id) == done


def test_without_a_failure_there_is_no_file_of_errors(memory: LongTermMemory) -> None:
    batch = held(memory)
    memory.batches.note(batch.id, "one", [answer(1)])
    assert ended(memory, batch).details.error_file_id is None


def test_a_batch_that_failed_keeps_what_was_answered(memory: LongTermMemory) -> None:
    batch = held(memory)
    memory.batches.note(batch.id, "one", [answer(1)])
    done = ended(memory, batch, Status.FAILED, {"code": "x"})
    assert (done.status, done.details.errors) == (Status.FAILED, [{"code": "x"}])
    assert lines(memory, done.details.output_file_id) == [1]
    assert memory.batches.answered(batch.id) == set()


def test_of_a_tenant_one_is_held_at_a_time_the_oldest(memory: LongTermMemory) -> None:
    first, _, bobs = made(memory), made(memory), made(memory, "bob")
    claimed = [memory.batches.claim("one"), memory.batches.claim("one", ["ann"])]
    assert [each.id for each in claimed if each] == [first.id, bobs.id]
    assert memory.batches.claim("other") is None, "what another holds is not claimed"
    assert memory.batches.claim("one", ["ann", "bob"]) is None
    ended(memory, first)
    assert memory.batches.claim("other") is not None


def test_whoever_waited_longest_comes_first(memory: LongTermMemory) -> None:
    names = ["ann", "bob", "cleo"]
    for name in names:
        made(memory, name)
    turns = []
    for _ in range(6):
        batch = memory.batches.claim("one")
        assert batch is not None
        turns.append(batch.tenant)
        memory.batches.let_go("one", batch.id)
    assert turns == names * 2


def test_what_nobody_speaks_of_any_more_another_goes_on_with(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = made(memory)
    with monkeypatch.context() as patch:
        patch.setattr("memory.offline.batches.HELD_S", 0.05)
        memory.batches.claim("dead")
    time.sleep(0.06)
    taken = memory.batches.claim("alive")
    assert taken is not None
    assert memory.batches.hold(batch.id, "dead") is None
    assert memory.batches.hold(batch.id, "alive") == taken
    assert memory.batches.claim("third") is None
    memory.batches.let_go("alive")
    assert memory.batches.claim("third") is not None


def test_a_cancelled_batch_is_ended_by_whoever_works_on_it(memory: LongTermMemory) -> None:
    batch = held(memory)
    memory.batches.note(batch.id, "one", [answer(1)])
    assert memory.batches.cancel("ann", batch.id).status is Status.CANCELLING
    assert memory.batches.begin(batch.id, 2).status is Status.CANCELLING
    done = ended(memory, batch, Status.CANCELLED)
    assert lines(memory, done.details.output_file_id) == [1]
    with pytest.raises(ConflictError, match="cancelled already"):
        memory.batches.cancel("ann", batch.id)


def test_a_batch_that_nobody_works_on_is_cancelled_at_once(memory: LongTermMemory) -> None:
    batch = held(memory)
    memory.batches.note(batch.id, "one", [answer(1)])
    memory.batches.let_go("one")
    done = memory.batches.cancel("ann", batch.id)
    assert done.status is Status.CANCELLED
    assert lines(memory, done.details.output_file_id) == [1]


def test_what_ended_long_ago_is_forgotten(memory: LongTermMemory) -> None:
    done, still = ended(memory, held(memory)), made(memory)
    memory.batches.drop_ended(time.time())
    assert memory.batches.get("ann", done.id) == done, "not so long ago"
    memory.batches.drop_ended(time.time() + 3600)
    assert [each.id for each in memory.batches.list("ann", 10)] == [still.id]


def test_a_batch_is_its_tenants_own(memory: LongTermMemory) -> None:
    batch = made(memory)
    for ask in (memory.batches.get, memory.batches.cancel):
        with pytest.raises(NotFoundError):
            ask("bob", batch.id)
    assert memory.batches.list("bob", 10) == []
    stolen = NewBatch(
        tenant="bob",
        endpoint="/v1/completions",
        input_file_id=batch.input_file_id,
        details=BatchDetails(),
        seconds=60.0,
    )
    with pytest.raises(NotFoundError):
        memory.batches.create(stolen, 10)


def test_lists_are_newest_first_and_go_on(memory: LongTermMemory) -> None:
    ids = [made(memory).id for _ in range(3)][::-1]
    assert [each.id for each in memory.batches.list("ann", 10)] == ids
    assert [each.id for each in memory.batches.list("ann", 1, after=ids[0])] == [ids[1]]


def test_so_many_may_be_open_and_no_more(memory: LongTermMemory) -> None:
    first = made(memory, most=1)
    memory.batches.claim("one")
    with pytest.raises(ConflictError, match="1 batches are at work"):
        made(memory, most=1)
    made(memory, "bob", most=1)
    ended(memory, first)
    made(memory, most=1)


def test_files_of_a_batch_expire_when_it_was_asked_so(memory: LongTermMemory) -> None:
    batch = held(memory, output_expires_s=3600.0)
    memory.batches.note(batch.id, "one", [answer(1)])
    done = ended(memory, batch)
    file = memory.files.get("ann", done.details.output_file_id or "")
    assert file.expires_at == pytest.approx(time.time() + 3600, abs=60)
