"""Schedules: taken by one of several servers, and counting what is new of their own tenant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memory.errors import ConflictError, NotFoundError
from memory.memory import LongTermMemory
from memory.offline import schedules as schedules_module
from memory.offline.job import JobKind
from memory.offline.schedule import NewSchedule, Schedule
from memory.types import Draft, Tier

Build = Callable[..., Draft]


def made(memory: LongTermMemory, tenant: str = "ann", next_at: float = 100.0) -> Schedule:
    new = NewSchedule(
        tenant=tenant, kind=JobKind.DISTILL, request={"n": 1}, cron="0 3 * * *", next_at=next_at
    )
    return memory.schedules.create(new)


def test_a_schedule_is_listed_to_its_tenant_and_removed(memory: LongTermMemory) -> None:
    first, second = made(memory), made(memory)
    made(memory, "bob")
    assert memory.schedules.list("ann") == [first, second]
    with pytest.raises(NotFoundError):
        memory.schedules.delete("bob", first.id)
    memory.schedules.delete("ann", first.id)
    assert memory.schedules.list("ann") == [second]
    with pytest.raises(NotFoundError):
        memory.schedules.delete("ann", first.id)


def test_what_is_due_is_taken_by_one(memory: LongTermMemory) -> None:
    late, later = made(memory, "bob", 50.0), made(memory)
    made(memory, next_at=900.0)
    assert memory.schedules.due(100.0) == [late, later]
    assert memory.schedules.take(late, 950.0)
    assert not memory.schedules.take(late, 951.0), "another has taken it by now"
    assert memory.schedules.due(100.0) == [later]
    memory.schedules.delete("ann", later.id)
    assert not memory.schedules.take(later, 950.0)


def test_new_are_the_records_that_may_train_since_the_last_job(
    memory: LongTermMemory, draft: Build
) -> None:
    memory.save(draft("before", tenant="ann", tier=Tier.IMPORTED))
    schedule = made(memory)
    assert memory.schedules.new_records(schedule) == 0
    memory.save(draft("one", tenant="ann", tier=Tier.IMPORTED))
    memory.save(draft("two", tenant="ann", tier=Tier.VOTE))
    memory.save(draft("three", tenant="bob", tier=Tier.IMPORTED))
    assert memory.schedules.new_records(schedule) == 1
    memory.schedules.begun(schedule, "job_1")
    (now,) = memory.schedules.list("ann")
    assert now.last_job == "job_1"
    assert memory.schedules.new_records(now) == 0


def test_a_tenant_has_only_so_many(memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules_module, "MOST", 1)
    made(memory)
    made(memory, "bob")
    with pytest.raises(ConflictError, match="remove one"):
        made(memory)
