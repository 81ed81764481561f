"""Records: identity, lifecycle, pages and erasure, through the facade."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from memory.embedding.hashing import HashingEmbedder
from memory.errors import ConflictError, NotFoundError
from memory.memory import LongTermMemory
from memory.types import Completion, Draft, Message, State, Tier

Build = Callable[..., Draft]


def test_a_saved_draft_comes_back_as_it_was(memory: LongTermMemory, draft: Build) -> None:
    sent = draft("two and two?", task="sums", evidence={"tests": 3}, model="m", adapter="ad_1")
    saved = memory.save(sent)
    got = memory.get("ann", saved.record.id)
    assert saved.created
    assert got == saved.record
    assert dict(got).items() >= dict(sent).items()
    assert got.state is State.ACTIVE


def test_the_same_answer_confirms_raises_confidence_and_upgrades_the_tier(
    memory: LongTermMemory, draft: Build
) -> None:
    first = memory.save(draft("Two and two?", tier=Tier.VOTE, evidence={"votes": 5}))
    second = memory.save(draft("Two and two?\r\n", tier=Tier.EXECUTABLE, evidence={"tests": 2}))
    assert (second.created, second.record.id) == (False, first.record.id)
    assert second.record.tier is Tier.EXECUTABLE
    assert second.record.confidence == pytest.approx(0.96)
    assert second.record.evidence["votes"] == 5
    assert second.record.evidence["confirmations"][0]["evidence"] == {"tests": 2}


def test_the_same_evidence_twice_counts_once(memory: LongTermMemory, draft: Build) -> None:
    memory.save(draft("q", evidence={"run": 1}))
    second = memory.save(draft("q", evidence={"run": 2}))
    third = memory.save(draft("q", evidence={"run": 2}))
    assert third.record == second.record


def test_one_question_never_has_two_active_answers(memory: LongTermMemory, draft: Build) -> None:
    old = memory.save(draft("q", "4", tier=Tier.VOTE)).record
    drawn = memory.save(draft("q", "5", tier=Tier.VOTE))
    assert drawn.record.state is State.QUARANTINED
    assert "both" in drawn.reason
    assert memory.get("ann", old.id).state is State.QUARANTINED
    winner = memory.save(draft("q", "6", tier=Tier.FEEDBACK))
    assert winner.record.state is State.ACTIVE
    with pytest.raises(ConflictError, match="quarantine it first"):
        memory.set_state("ann", old.id, State.ACTIVE, "review")


def test_a_revision_is_both_edit_and_move_or_neither(memory: LongTermMemory, draft: Build) -> None:
    old = memory.save(draft("q", "4", tier=Tier.FEEDBACK)).record
    memory.set_state("ann", old.id, State.QUARANTINED, "review")
    rival = memory.save(draft("q", "5", tier=Tier.FEEDBACK)).record
    memory.set_state("ann", rival.id, State.ACTIVE, "review")
    before = memory.get("ann", old.id)
    seen, _ = memory.changed("ann", None)
    with pytest.raises(ConflictError, match="quarantine it first"):
        memory.revise("ann", old.id, answer="7", state=State.ACTIVE, reason="review")
    with pytest.raises(ConflictError, match="gives this answer already"):
        memory.revise("ann", old.id, answer="5", state=State.EXPIRED, reason="review")
    assert memory.get("ann", old.id) == before
    assert memory.changed("ann", seen) == (seen, frozenset())
    memory.set_state("ann", rival.id, State.QUARANTINED, "review")
    revised = memory.revise("ann", old.id, answer="7", state=State.ACTIVE, reason="review")
    assert (revised.answer, revised.rationale, revised.state) == ("7", "7", State.ACTIVE)


def test_task_tenant_and_earlier_turns_make_another_question(
    memory: LongTermMemory, draft: Build
) -> None:
    turns = (Message(role="user", content="bread"), Message(role="assistant", content="ok"))
    asked = (*turns, Message(role="user", content="q"))
    others = [
        draft("q"),
        draft("q", "5", task="t"),
        draft("q", "6", tenant="bob"),
        draft("q", "7", messages=asked),
    ]
    assert [memory.save(other).record.state for other in others] == [State.ACTIVE] * 4


def test_near_identical_questions_are_never_merged(memory: LongTermMemory, draft: Build) -> None:
    memory.save(draft("sort the list in ascending order: 3 1 2", "1 2 3"))
    other = memory.save(draft("sort the list in descending order: 3 1 2", "3 2 1"))
    assert other.created
    assert other.record.state is State.ACTIVE


def test_pages_follow_each_other_without_gap_or_repeat(
    memory: LongTermMemory, draft: Build
) -> None:
    ids = [saved.record.id for saved in memory.save_many([draft(f"q{n}") for n in range(7)])]
    seen: list[str] = []
    after = None
    while page := memory.list("ann", limit=3, after=after):
        seen += [record.id for record in page]
        after = page[-1].id
    assert seen == ids[::-1]


def test_lists_filter_by_state_task_and_literal_substring(
    memory: LongTermMemory, draft: Build
) -> None:
    memory.save(draft("what is 50% of 8?", task="sums"))
    memory.save(draft("what is 500 of 8?", tier=Tier.VOTE))
    assert len(memory.list("ann", q="50%")) == 1
    assert len(memory.list("ann", task="sums")) == 1
    assert memory.list("ann", state=State.QUARANTINED) == []
    with pytest.raises(NotFoundError):
        memory.list("ann", after="rec_unknown")


def test_nothing_of_one_tenant_can_be_touched_by_another(
    memory: LongTermMemory, draft: Build
) -> None:
    record = memory.save(draft("q")).record
    for touch in (
        lambda: memory.get("bob", record.id),
        lambda: memory.forget("bob", record.id),
        lambda: memory.set_state("bob", record.id, State.QUARANTINED, "mine"),
    ):
        with pytest.raises(NotFoundError):
            touch()
    memory.credit("bob", [record.id], won=True)
    assert memory.get("ann", record.id) == record
    assert memory.list("bob") == []
    assert memory.stats("bob")["records"] == 0


def test_credit_counts_uses_and_wins(memory: LongTermMemory, draft: Build) -> None:
    ids = [memory.save(draft(f"q{n}")).record.id for n in range(2)]
    memory.credit("ann", ids, won=True)
    memory.credit("ann", ids[:1], won=False)
    assert [(r.uses, r.wins) for r in memory.walk("ann")] == [(2, 1), (1, 1)]
    assert memory.stats()["uses"] == 3


@pytest.mark.sqlite
def test_forgetting_leaves_an_empty_tombstone_and_no_byte_of_the_content(
    tmp_path: Path,
    embedder: HashingEmbedder,
    draft: Build,
    completion: Callable[..., Completion],
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder)
    secret = "the vault opens with 7731-kestrel"
    record = memory.save(draft(secret, "7731-kestrel", evidence={"seen": secret})).record
    memory.completions.append(
        completion("c1", secret, secret).model_copy(update={"record_id": record.id})
    )
    memory.recall("ann", secret, k=1)
    tombstone = memory.forget("ann", record.id)
    assert (tombstone.state, tombstone.answer, tombstone.question) == (State.ERASED, "", "")
    assert memory.forget("ann", record.id) == tombstone
    assert memory.recall("ann", secret, k=5) == []
    with pytest.raises(ConflictError):
        memory.set_state("ann", record.id, State.ACTIVE, "undo")
    memory.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"kestrel" in path.read_bytes() for path in files)
    with sqlite3.connect(tmp_path / "whet.db") as raw:
        assert raw.execute("SELECT count(*) FROM embedding").fetchone() == (0,)
    raw.close()


def test_text_that_no_database_can_hold_is_stored_readably(
    memory: LongTermMemory, draft: Build
) -> None:
    record = memory.save(draft("half \ud800 a pair", "\x00")).record
    assert record.question == "half ? a pair"
    assert memory.get("ann", record.id).answer == "\x00"
