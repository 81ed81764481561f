"""What generations noted of records: by tenant and base, bounded, and gone with the record."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select

from memory.memory import LongTermMemory
from memory.store.schema import candidate as candidates
from memory.store.scope import EVERYONE
from memory.types import Draft, Record
from memory.versions.candidates import KEPT, WorkedSolution
from tests.memory.candidates_made import candidate, choice

Build = Callable[..., Draft]


def solution(record: Record, text: str | None = "2+3=5.\n#### 5") -> WorkedSolution:
    named = {"tenant": record.tenant, "record_id": record.id, "base_model": "base"}
    return WorkedSolution(**named, content="digest", text=text, at=1.0)


def test_what_is_noted_is_read_back_by_tenant_and_base(
    memory: LongTermMemory, draft: Build
) -> None:
    store, record = memory.candidates, memory.save(draft("a question")).record
    first, second = choice(), choice(adapter_id="ad_2", gain=-0.5, served=True)
    one, other = candidate(record), candidate(record, adapter_id="ad_2", chosen=False)
    store.add(first, [one])
    store.add(second, [other])
    store.add(choice(base_model="elsewhere"), [])
    assert store.selections("ann", "base") == (first, second)
    assert store.bases("ann") == ["base", "elsewhere"]
    assert store.of_record("ann", record.id) == (other, one)
    assert store.known("ann", "base") == {record.id: other}
    assert store.known("ann", "elsewhere") == {}
    for reads in (store.selections("bob", "base"), store.of_record("bob", record.id)):
        assert reads == ()
    assert store.bases("bob") == []
    assert store.known("bob", "base") == store.solutions("bob", "base") == {}


def test_candidates_of_old_generations_go_and_their_selections_stay(
    memory: LongTermMemory, draft: Build
) -> None:
    store, record = memory.candidates, memory.save(draft("a question")).record
    for n in range(KEPT + 3):
        named = {"adapter_id": f"ad_{n}"}
        store.add(choice(**named), [candidate(record, **named)])
    found = [each.adapter_id for each in store.of_record("ann", record.id)]
    assert found == [f"ad_{n}" for n in reversed(range(3, KEPT + 3))]
    assert len(store.selections("ann", "base")) == KEPT + 3


def test_a_solution_takes_the_place_of_the_one_before(memory: LongTermMemory, draft: Build) -> None:
    store, record = memory.candidates, memory.save(draft("a question")).record
    store.add_solution(solution(record))
    store.add_solution(solution(record, None))
    assert store.solutions("ann", "base") == {record.id: solution(record, None)}


def test_scores_and_solutions_go_with_their_record_and_none_come_after(
    memory: LongTermMemory, draft: Build
) -> None:
    store, saved = memory.candidates, memory.save(draft("a question"))
    other = memory.save(draft("another question")).record
    store.add(choice(), [candidate(saved.record), candidate(other)])
    store.add_solution(solution(saved.record, "zanzibar.\n#### 5"))
    assert memory.lineage.look("ann", saved.record.id).facts["difficulty"] == 0.5
    memory.forget("ann", saved.record.id)
    assert store.of_record("ann", saved.record.id) == ()
    assert store.solutions("ann", "base") == {}
    assert len(store.of_record("ann", other.id)) == 1
    assert list(memory.traces([b"zanzibar"])) == []
    # A generation that was under way notes nothing of it.
    store.add(choice(adapter_id="ad_2"), [candidate(saved.record, adapter_id="ad_2")])
    store.add_solution(solution(saved.record))
    assert store.of_record("ann", saved.record.id) == ()
    assert store.solutions("ann", "base") == {}
    with memory._database.reading(EVERYONE) as connection:
        assert connection.execute(select(func.count()).select_from(candidates)).scalar_one() == 1


def test_questions_have_the_vectors_that_are_stored_or_are_computed(
    memory: LongTermMemory, draft: Build
) -> None:
    one, other = (memory.save(draft(text)).record for text in ("a question", "something else"))
    unsaved = one.model_copy(update={"id": "rec_unknown"})
    found = memory.questions.of_records([other, unsaved, one])
    assert found.shape == (3, memory.embedder.dim)
    assert (found == memory.embed([other, one, one])).all()
    assert memory.questions.of_records([]).shape == (0, memory.embedder.dim)
