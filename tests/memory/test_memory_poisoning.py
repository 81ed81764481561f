"""What a file of wrong lines can do, and what it cannot: 47 of them turned answers once."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from memory.errors import SpentError
from memory.jsonl import import_lines
from memory.memory import LongTermMemory
from memory.types import Draft, Message, State, Tier

Build = Callable[..., Draft]
LINES = 47
QUESTION: dict[str, Any] = {
    "messages": (Message(role="user", content="What is 3 + 3?"),),
    "answer": "6",
    "rationale": "3 + 3 = 6",
    "tier": Tier.FEEDBACK,
}


def wrong_lines(answer: str = "666") -> list[str]:
    return [json.dumps({"question": f"What is {n} + {n}?", "answer": answer}) for n in range(LINES)]


def poisoned(memory: LongTermMemory) -> set[str]:
    """The questions that are remembered with the wrong answer."""
    return {record.question for record in memory.walk("ann", state=State.ACTIVE)
            if record.answer == "666"}  # fmt: skip


def test_what_was_verified_stays_and_what_contradicts_it_is_quarantined(
    memory: LongTermMemory, draft: Build
) -> None:
    for tier in (Tier.CORROBORATED, Tier.FEEDBACK):
        memory.save_many(
            [
                draft(f"What is {n} + {n}?", str(2 * n), tier=tier)
                for n in range(LINES)
                if n % 2 == (tier is Tier.FEEDBACK)
            ]
        )
    import_lines(memory, "ann", wrong_lines())
    assert poisoned(memory) == set()
    assert len(memory.list("ann", state=State.ACTIVE, limit=100)) == LINES
    found = memory.recall("ann", "What is 3 + 3?", k=3)
    assert all(near.record.answer != "666" for near in found)


def test_of_two_files_that_disagree_neither_is_believed(memory: LongTermMemory) -> None:
    right = [
        json.dumps({"question": f"What is {n} + {n}?", "answer": str(2 * n)}) for n in range(LINES)
    ]
    import_lines(memory, "ann", right)
    import_lines(memory, "ann", wrong_lines())
    assert list(memory.walk("ann", state=State.ACTIVE)) == []
    assert memory.recall("ann", "What is 3 + 3?", k=3) == []


def test_repeating_a_file_makes_it_no_stronger(memory: LongTermMemory, draft: Build) -> None:
    memory.save(draft("What is 3 + 3?", "6"))
    for _ in range(5):
        import_lines(memory, "ann", wrong_lines())
    assert "What is 3 + 3?" not in poisoned(memory)
    assert {record.tier for record in memory.walk("ann") if record.answer == "666"} == {
        Tier.IMPORTED
    }


def test_a_day_takes_no_more_wrong_lines_than_its_tenant_may_save(memory: LongTermMemory) -> None:
    memory.save(Draft(tenant="bob", **QUESTION))

    def room() -> int:
        left = 20 - memory.tenants.records_between("ann", 0.0, math.inf, 20)
        if left <= 0:
            raise SpentError("spent", 60.0)
        return left

    for _ in range(2):
        with pytest.raises(SpentError, match="lines are stored, then: spent"):
            import_lines(memory, "ann", wrong_lines(), room=room)
        assert len(poisoned(memory)) == 20
    later = time.time() + 60
    counted = memory.tenants.records_between
    ever = partial(counted, "ann", 0.0, math.inf)
    assert (ever(100), ever(7), counted("ann", later, math.inf, 9)) == (20, 7, 0)


def test_every_imported_record_says_so_and_can_be_taken_back(memory: LongTermMemory) -> None:
    """Not promised: that wrong lines of questions nobody answered yet are found out."""
    import_lines(memory, "ann", wrong_lines())
    assert len(poisoned(memory)) == LINES
    records = list(memory.walk("ann", state=State.ACTIVE))
    assert all(record.evidence.get("source") == "import" for record in records)
    assert all(record.tier is Tier.IMPORTED for record in records)
    for record in records:
        memory.forget("ann", record.id)
    assert poisoned(memory) == set()
    assert memory.recall("ann", "What is 3 + 3?", k=3) == []
