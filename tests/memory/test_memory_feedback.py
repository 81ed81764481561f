"""What a verdict on an answer does to memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import pytest

from memory.errors import ConflictError, NotFoundError
from memory.feedback import Verdict, apply_feedback
from memory.lines.calls import turn_of
from memory.memory import LongTermMemory
from memory.rows import MAX_CHARACTERS
from memory.types import Completion, Draft, State, Tier

Build = Callable[..., Completion]


def test_correct_makes_a_record_of_the_completion(
    memory: LongTermMemory, completion: Build
) -> None:
    memory.completions.append(completion("c1"))
    outcome = apply_feedback(memory, "ann", "c1", "correct")
    assert outcome.action == "created"
    assert outcome.record is not None
    assert (outcome.record.tier, outcome.record.answer) == (Tier.FEEDBACK, "4")
    assert memory.completions.get("ann", "c1").record_id == outcome.record.id


def test_repeating_a_verdict_changes_nothing(memory: LongTermMemory, completion: Build) -> None:
    memory.completions.append(completion("c1"))
    apply_feedback(memory, "ann", "c1", "correct")
    before = memory.list("ann"), memory.stats("ann")["events"]
    assert apply_feedback(memory, "ann", "c1", "correct").action == "none"
    assert (memory.list("ann"), memory.stats("ann")["events"]) == before


def test_a_second_caller_confirms_the_first(memory: LongTermMemory, completion: Build) -> None:
    for name in ("c1", "c2"):
        memory.completions.append(completion(name))
    apply_feedback(memory, "ann", "c1", "correct")
    assert apply_feedback(memory, "ann", "c2", "correct").action == "confirmed"
    assert len(memory.list("ann")) == 1


def test_incorrect_quarantines_the_record_that_holds_the_answer(
    memory: LongTermMemory, completion: Build, draft: Callable[..., Draft]
) -> None:
    saved = memory.save(draft("two and two?", "4", tier=Tier.VOTE)).record
    memory.completions.append(completion("c1"))
    outcome = apply_feedback(memory, "ann", "c1", "incorrect")
    assert outcome.action == "quarantined"
    assert memory.get("ann", saved.id).state is State.QUARANTINED
    assert memory.recall("ann", "two and two?", k=1) == []


def test_a_corrected_answer_takes_the_place_of_the_wrong_one(
    memory: LongTermMemory, completion: Build, draft: Callable[..., Draft]
) -> None:
    memory.save(draft("two and two?", "5", tier=Tier.FEEDBACK))
    memory.completions.append(completion("c1", answer="5"))
    outcome = apply_feedback(memory, "ann", "c1", "incorrect", "4")
    assert outcome.action == "created"
    found = memory.recall("ann", "two and two?", k=5)
    assert [(n.record.answer, n.record.rationale) for n in found] == [("4", "4")]
    events = memory.stats("ann")["events"]
    assert apply_feedback(memory, "ann", "c1", "incorrect", "4").action == "none"
    assert memory.stats("ann")["events"] == events


def test_incorrect_without_a_record_does_nothing(memory: LongTermMemory, completion: Build) -> None:
    memory.completions.append(completion("c1"))
    assert apply_feedback(memory, "ann", "c1", "incorrect").action == "none"
    assert memory.list("ann") == []


def test_changing_ones_mind_counts(memory: LongTermMemory, completion: Build) -> None:
    memory.completions.append(completion("c1"))
    apply_feedback(memory, "ann", "c1", "correct")
    assert apply_feedback(memory, "ann", "c1", "incorrect").action == "quarantined"
    assert apply_feedback(memory, "ann", "c1", "correct").action == "confirmed"
    assert len(memory.recall("ann", "two and two?", k=1)) == 1


def test_feedback_that_contradicts_itself_or_concerns_nothing_is_refused(
    memory: LongTermMemory, completion: Build
) -> None:
    memory.completions.append(completion("c1"))
    with pytest.raises(ConflictError):
        apply_feedback(memory, "ann", "c1", "incorrect", " 4 ")
    with pytest.raises(NotFoundError):
        apply_feedback(memory, "ann", "unknown", "correct")
    with pytest.raises(NotFoundError):
        apply_feedback(memory, "bob", "c1", "correct")


def test_of_a_conversation_too_long_to_keep_a_wrong_answer_is_withdrawn_and_nothing_is_learned(
    memory: LongTermMemory, completion: Callable[..., Completion], draft: Callable[..., Draft]
) -> None:
    long = "What of this? " + "x" * MAX_CHARACTERS
    for name in ("c1", "c2", "c3"):
        memory.completions.append(completion(name, long))
    assert memory.completions.flush()
    outcome = apply_feedback(memory, "ann", "c1", "correct")
    assert (outcome.action, "longer than is kept" in outcome.reason) == ("none", True)
    record = memory.save(draft(long)).record
    outcome = apply_feedback(memory, "ann", "c2", "incorrect", "5")
    assert outcome.action == "quarantined"
    assert memory.get("ann", record.id).state is State.QUARANTINED
    memory.forget("ann", record.id)
    with pytest.raises(NotFoundError):
        memory.completions.get("ann", "c3")


@pytest.mark.parametrize(
    ("text", "verdict", "answer", "rationale"),
    [
        ("12+1=13.\n#### 13", "correct", "14", None),
        ("Tom has 13 apples.", "correct", "14", None),
        ("#### 13", "incorrect", "14", "So Tom has 15 apples."),
        ("#### 13", "incorrect", "14", "The answer is 15."),
    ],
)
def test_an_answer_beside_a_text_that_comes_to_another_is_refused(
    memory: LongTermMemory,
    completion: Build,
    text: str,
    verdict: Verdict,
    answer: str,
    rationale: str | None,
) -> None:
    memory.completions.append(completion("c1", text=text, answer="13"))
    with pytest.raises(ConflictError, match=f"not to {answer}"):
        apply_feedback(memory, "ann", "c1", verdict, answer, rationale)
    assert memory.list("ann") == []


def test_calls_are_corrected_in_whatever_json_they_are_written(
    memory: LongTermMemory, completion: Build
) -> None:
    memory.completions.append(completion("c1", text="f(1)", answer=None, request={"tools": [{}]}))
    corrected = '[{"name": "f", "arguments": "{\\"a\\": 2}"}]'
    record = apply_feedback(memory, "ann", "c1", "incorrect", corrected).record
    assert record is not None
    assert record.answer == '{"arguments":{"a":2},"name":"f"}'
    assert turn_of(record.rationale).tool_calls


@pytest.mark.parametrize(
    ("text", "answer", "given"),
    [
        ("The answer is (B) 42.", "B", None),
        ("The answer is (B) 42.", "B", "B"),
        ("Score: 7\n#### 14", "7", None),
        ("The answer is Paris, the capital of France.", "Paris", "Paris"),
        ("It takes 5 km.", "5 km", "5000 m"),
    ],
)
def test_what_was_read_out_of_a_text_agrees_with_it(
    memory: LongTermMemory, completion: Build, text: str, answer: str, given: str | None
) -> None:
    memory.completions.append(completion("c1", text=text, answer=answer))
    assert apply_feedback(memory, "ann", "c1", "correct", given).action == "created"


def test_an_answer_that_a_text_does_not_give_is_kept_without_the_text(
    memory: LongTermMemory, completion: Build
) -> None:
    memory.completions.append(completion("c1", text="Sorry, I do not know that.", answer=None))
    record = apply_feedback(memory, "ann", "c1", "correct", "5").record
    assert record is not None
    assert (record.answer, record.rationale) == ("5", "5")
    with pytest.raises(ConflictError, match="comes to 6"):
        memory.edit("ann", record.id, "5", "2 + 4 = 6.\n#### 6")


WORDS: Mapping[str, tuple[Verdict, str | None]] = {
    "correct": ("correct", None),
    "correct 7": ("correct", "7"),
    "incorrect": ("incorrect", None),
    "incorrect 4": ("incorrect", "4"),
    "incorrect 6": ("incorrect", "6"),
}
"""Of an answer that says 5."""
SERVED = {"correct": "5", "correct 7": "7", "incorrect": None, "incorrect 4": "4",
          "incorrect 6": "6"}  # fmt: skip
ADDS_NOTHING = {("correct 7", "correct"), ("incorrect 4", "incorrect"),
                ("incorrect 6", "incorrect")}  # fmt: skip
THERE_AND_BACK = [(one, other, one) for one, other in product(WORDS, repeat=2)]


@pytest.mark.parametrize("saved_by_vote", [True, False])
@pytest.mark.parametrize(
    "words", [w for a, b in product(WORDS, repeat=2) for w in ((a, b), (a, b, a))]
)
def test_the_last_word_about_an_answer_counts(
    memory: LongTermMemory,
    completion: Build,
    draft: Callable[..., Draft],
    words: Sequence[str],
    saved_by_vote: bool,
) -> None:
    evidence = {"completion": "c1", "votes": [{"answer": "5", "count": 4}], "verifiers": []}
    if saved_by_vote:
        memory.save(draft("two and two?", "5", tier=Tier.VOTE, evidence=evidence))
    memory.completions.append(completion("c1", text="Well: 5 or so.", answer="5"))
    told = [words[0]]
    for word in words:
        apply_feedback(memory, "ann", "c1", *WORDS[word])
        told += [] if (told[-1], word) in ADDS_NOTHING else [word]
    records = memory.list("ann")
    active = [record.answer for record in records if record.state is State.ACTIVE]
    right = SERVED[told[-1]]
    assert active == ([right] if right else [])
    said = {SERVED[word] for word in told} - {None}
    assert said <= {record.answer for record in records}, "nothing is lost"


def test_what_somebody_else_vouches_for_is_not_taken_back(
    memory: LongTermMemory, completion: Build, draft: Callable[..., Draft]
) -> None:
    for name in ("c1", "c2"):
        memory.completions.append(completion(name, answer="5"))
        apply_feedback(memory, "ann", name, "incorrect", "4")
    outcome = apply_feedback(memory, "ann", "c1", "incorrect", "6")
    assert outcome.action == "quarantined"
    assert {r.answer: r.state for r in memory.list("ann")} == {
        "4": State.QUARANTINED,
        "6": State.QUARANTINED,
    }
    assert apply_feedback(memory, "ann", "c1", "incorrect", "4").action == "confirmed"
    assert {r.answer: r.state for r in memory.list("ann")} == {
        "4": State.ACTIVE,
        "6": State.EXPIRED,
    }


def test_a_correction_that_an_import_gave_too_stays_for_review(
    memory: LongTermMemory, completion: Build, draft: Callable[..., Draft]
) -> None:
    memory.save(draft("two and two?", "4", tier=Tier.IMPORTED, evidence={"source": "import"}))
    memory.completions.append(completion("c1", answer="5"))
    for right in ("4", "6"):
        apply_feedback(memory, "ann", "c1", "incorrect", right)
    assert {r.answer: r.state for r in memory.list("ann")} == {
        "4": State.QUARANTINED,
        "6": State.ACTIVE,
    }


def test_a_record_that_was_edited_by_hand_is_not_taken_back(
    memory: LongTermMemory, completion: Build
) -> None:
    memory.completions.append(completion("c1", answer="5"))
    record = apply_feedback(memory, "ann", "c1", "incorrect", "4").record
    assert record is not None
    memory.edit("ann", record.id, "4", "2 + 2 = 4.\n#### 4")
    assert apply_feedback(memory, "ann", "c1", "incorrect", "6").action == "quarantined"
    assert memory.get("ann", record.id).state is State.QUARANTINED


@pytest.mark.parametrize("verdict", ["correct", "incorrect"])
def test_a_worked_solution_that_comes_later_is_what_is_learned(
    memory: LongTermMemory, completion: Build, verdict: Verdict
) -> None:
    memory.completions.append(completion("c1", answer="5" if verdict == "incorrect" else "4"))
    answer = "4" if verdict == "incorrect" else None
    first = apply_feedback(memory, "ann", "c1", verdict, answer).record
    for worked in ("2 + 2 = 4.\n#### 4", "2 twice is 4.\n#### 4"):
        assert apply_feedback(memory, "ann", "c1", verdict, answer, worked).action == "confirmed"
        (record,) = memory.list("ann")
        assert (record.rationale, record.state) == (worked, State.ACTIVE)
    assert first is not None
    assert record.id == first.id
    assert record.evidence["edited"]["rationale"] == "2 + 2 = 4.\n#### 4"
    assert apply_feedback(memory, "ann", "c1", "incorrect", "6").record is not None
    assert memory.get("ann", first.id).state is not State.ACTIVE
    assert [n.record.answer for n in memory.recall("ann", "two and two?", k=5)] == ["6"]


def test_a_worked_solution_alone_brings_the_right_answer(
    memory: LongTermMemory, completion: Build
) -> None:
    memory.completions.append(completion("c1", answer="5"))
    outcome = apply_feedback(memory, "ann", "c1", "incorrect", None, "2 + 2 = 4.\n#### 4")
    assert outcome.action == "created"
    assert outcome.record is not None
    assert (outcome.record.answer, outcome.record.tier) == ("4", Tier.FEEDBACK)
    with pytest.raises(ConflictError, match="called incorrect"):
        apply_feedback(memory, "ann", "c1", "incorrect", None, "2 + 3 = 5.\n#### 5")
