"""What a version learned from, as vectors."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest

from memory.memory import LongTermMemory
from memory.types import Draft, Message, State, Tier
from memory.versions.adapters import NewVersion
from memory.versions.learned import LearnedQuestions
from tests.memory.adapters_made import write_adapter


def records(memory: LongTermMemory, count: int, tenant: str = "ann") -> list[str]:
    drafts = [
        Draft(
            tenant=tenant,
            messages=(Message(role="user", content=f"What is {number} bar {number + 1}?"),),
            answer=str(number),
            rationale=f"#### {number}",
            tier=Tier.FEEDBACK,
        )
        for number in range(count)
    ]
    return [saved.record.id for saved in memory.save_many(drafts)]


def version(memory: LongTermMemory, folder: Path, ids: Collection[str], tenant: str = "ann") -> str:
    made = memory.adapters.register(
        write_adapter(folder, 1.0),
        NewVersion(tenant=tenant, base_model="pebble", rank=2, record_ids=ids),
    )
    return made.id


def test_the_questions_of_a_version_are_those_it_learned_from(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    ids = records(memory, 5)
    learned = memory.learned.of("ann", version(memory, tmp_path / "trained", ids[:3]))
    assert sorted(learned.ids) == sorted(ids[:3])
    assert learned.total == 3
    questions = [memory.get("ann", record_id).question for record_id in learned.ids]
    assert np.allclose(learned.vectors, memory.embedder.embed(questions))


def test_a_record_counts_whatever_became_of_it_but_an_erased_one_has_no_vector(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    ids = records(memory, 3)
    made = version(memory, tmp_path / "trained", ids)
    memory.set_state("ann", ids[0], State.QUARANTINED, "looked at again")
    memory.forget("ann", ids[1])
    learned = memory.learned.of("ann", made)
    assert (learned.total, sorted(learned.ids)) == (3, sorted([ids[0], ids[2]]))


@pytest.mark.parametrize("asking", ["bob", "ann"])
def test_nobody_sees_what_anothers_version_learned_from(
    memory: LongTermMemory, tmp_path: Path, asking: str
) -> None:
    own, foreign = records(memory, 2), records(memory, 2, "bob")
    made = version(memory, tmp_path / "trained", [*own, *foreign])
    learned = memory.learned.of(asking, made)
    assert sorted(learned.ids) == (sorted(own) if asking == "ann" else [])


def test_of_very_many_questions_some_are_read_spread_over_all(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    ids = sorted(records(memory, 10))
    made = version(memory, tmp_path / "trained", ids)
    few = LearnedQuestions(memory._database, memory.embedder.id, memory.embedder.dim, most=4)
    learned = few.of("ann", made)
    assert (learned.total, sorted(learned.ids)) == (10, [ids[0], ids[3], ids[6], ids[9]])


def test_a_version_of_unknown_origin_has_learned_from_nothing(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    made = version(memory, tmp_path / "trained", [])
    learned = memory.learned.of("ann", made)
    assert (learned.total, learned.ids, learned.vectors.shape) == (0, (), (0, memory.embedder.dim))
