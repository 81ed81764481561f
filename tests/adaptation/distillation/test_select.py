from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptation.errors import DistillationError
from adaptation.learning.distillation.select import Records, Selection, cluster, position, select
from memory.types import Message, Record, State, Tier

Make = Callable[..., Record]
Memory = Callable[[list[Record]], Records]
SMALL = Selection(min_train=1, min_holdout=1)


def test_sixty_four_records_are_split_about_three_to_one(record: Make, records: Memory) -> None:
    chosen = select(records([record(i) for i in range(64)]), "default", Selection())
    assert len(chosen.train) + len(chosen.holdout) == 64
    assert len(chosen.holdout) >= 8
    assert len(chosen.train) >= 40


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 500), min_size=16, max_size=60))
def test_no_question_is_on_both_sides(record: Make, records: Memory, numbers: set[int]) -> None:
    chosen = select(records([record(i) for i in numbers]), "default", SMALL)
    train, held = ({cluster(r) for r in side} for side in (chosen.train, chosen.holdout))
    assert not train & held
    assert len(train) + len(held) == len(numbers)


def test_a_held_out_question_stays_held_out_when_memory_grows(
    record: Make, records: Memory
) -> None:
    few = select(records([record(i) for i in range(80)]), "default", Selection())
    many = select(records([record(i) for i in range(200)]), "default", Selection())
    assert {r.id for r in few.holdout} <= {r.id for r in many.holdout}


def test_a_small_memory_holds_out_the_minimum(record: Make, records: Memory) -> None:
    for n in range(24, 40):
        chosen = select(records([record(i) for i in range(n)]), "default", Selection())
        assert len(chosen.holdout) >= 8
        assert len(chosen.train) >= 16


def test_too_few_records_say_what_is_missing(record: Make, records: Memory) -> None:
    votes = [record(i, tier=Tier.VOTE) for i in range(50, 90)]
    memory = records([*(record(i) for i in range(10)), *votes])
    why = r"10 usable .* at least 16 and 8, .*`whet memory import`.*feedback\. 40 active"
    with pytest.raises(DistillationError, match=why):
        select(memory, "default", Selection())


def test_only_verified_active_records_of_the_tenant_are_used(record: Make, records: Memory) -> None:
    strange = [
        record(100, tier=Tier.VOTE),
        record(101, state=State.QUARANTINED),
        record(102, tenant="other"),
    ]
    chosen = select(records([*strange, *(record(i) for i in range(30))]), "default", Selection())
    used = {r.id for r in (*chosen.train, *chosen.holdout)}
    assert used == {f"rec_{i}" for i in range(30)}
    assert chosen.unverified == 1


def test_near_duplicates_are_one_question_and_the_strongest_is_held_out(
    record: Make, records: Memory
) -> None:
    held = next(i for i in range(100) if position(cluster(record(i))) < 0.25)
    twin = record(
        900,
        messages=(Message(role="user", content=f"  what is {held} LAMP 5 ?!"),),
        tier=Tier.EXECUTABLE,
    )
    chosen = select(records([twin, *(record(i) for i in range(100))]), "default", Selection())
    assert "rec_900" in {r.id for r in chosen.holdout}
    assert f"rec_{held}" not in {r.id for r in (*chosen.train, *chosen.holdout)}


def test_a_busy_task_leaves_room_for_the_others(record: Make, records: Memory) -> None:
    busy = [record(i, task="busy") for i in range(200)]
    rare = [record(i, task="rare") for i in range(300, 320)]
    chosen = select(records(busy + rare), "default", Selection(max_per_task=16))
    tasks = [r.task for r in chosen.train]
    assert tasks.count("busy") == 16
    assert tasks.count("rare") > 8


def test_at_most_four_solutions_of_one_question_are_trained_on(
    record: Make, records: Memory
) -> None:
    learned = next(i for i in range(100) if position(cluster(record(i))) > 0.5)
    question = record(learned).messages
    paths = [
        record(900 + i, messages=question, created_at=datetime(2026, 2, 1 + i, tzinfo=UTC))
        for i in range(6)
    ]
    chosen = select(records([*paths, *(record(i) for i in range(100))]), "default", Selection())
    ids = [r.id for r in chosen.train if r.messages == question]
    assert ids == ["rec_905", "rec_904", "rec_903", "rec_902"]
