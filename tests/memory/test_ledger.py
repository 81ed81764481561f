"""What strategies were worth, counted."""

from __future__ import annotations

import pytest

from memory.feedback import apply_feedback
from memory.history.ledger import Seen, effect_of
from memory.memory import LongTermMemory
from memory.types import Completion, Message, Trial


@pytest.mark.parametrize(
    ("right", "baseline", "same", "effect"),
    [
        (True, False, False, 1),
        (False, True, False, -1),
        (True, True, False, 0),
        (None, None, True, 0),
        (True, None, False, None),
        (True, None, None, None),
        (None, None, None, None),
    ],
)
def test_a_pair_helps_hurts_or_does_neither(
    right: bool | None, baseline: bool | None, same: bool | None, effect: int | None
) -> None:
    assert effect_of(right, baseline, same) == effect


def test_trials_are_counted_by_strategy_and_by_question(memory: LongTermMemory) -> None:
    helped = Trial(strategy="ttt", near="a", right=True, baseline=False, same=False, tokens=10)
    hurt = Trial(strategy="ttt", near="b", right=False, baseline=True, same=False, seconds=2.0)
    vote = Trial(strategy="consistency", right=True, tokens=5)
    memory.ledger.note("t", [("1", helped), ("2", hurt), ("3", vote)])
    found = memory.ledger.count("t")
    assert found["ttt"] == Seen(2, 2, 1, helped=1, hurt=1, tokens=10, seconds=2.0)
    assert found["consistency"] == Seen(1, 1, 1, tokens=5)
    assert memory.ledger.count("t", near=["a"])["ttt"].helped == 1
    assert memory.ledger.count("other") == {}


def test_a_trial_noted_again_takes_the_place_of_the_first(memory: LongTermMemory) -> None:
    for tokens in (1, 2):
        memory.ledger.note("t", [("1", Trial(strategy="ttt", tokens=tokens))])
    assert memory.ledger.count("t")["ttt"].tokens == 2


def answered(memory: LongTermMemory, beside: str | None) -> None:
    memory.completions.append(
        Completion(
            id="c",
            tenant="t",
            messages=(Message(role="user", content="What is 40 + 2?"),),
            text="#### 42",
            answer="42",
            report=None if beside is None else {"baseline": {"answer": beside}},
            trial=Trial(strategy="ttt", same=False),
        )
    )
    memory.completions.flush()


@pytest.mark.parametrize(
    ("verdict", "answer", "beside", "expected"),
    [
        ("correct", None, "41", (1, 0)),
        ("correct", None, "42.0", (0, 0)),
        ("incorrect", "41", "41", (0, 1)),
        ("incorrect", "40", "41", (0, 0)),
        ("incorrect", None, "41", (0, 0)),
    ],
)
def test_feedback_tells_what_a_strategy_was_worth(
    memory: LongTermMemory, verdict: str, answer: str | None, beside: str, expected: tuple[int, int]
) -> None:
    answered(memory, beside)
    apply_feedback(memory, "t", "c", verdict, answer)  # type: ignore[arg-type]
    found = memory.ledger.count("t")["ttt"]
    assert (found.helped, found.hurt) == expected
    assert found.judged == 1
    assert found.right == (verdict == "correct")


def test_feedback_says_nothing_of_a_strategy_tried_beside_the_answer(
    memory: LongTermMemory,
) -> None:
    answered(memory, None)
    beside = Trial(strategy="demonstrations", source="shadow", right=False, baseline=True)
    memory.ledger.note("t", [("c", beside.model_copy(update={"same": False}))])
    apply_feedback(memory, "t", "c", "correct")
    found = memory.ledger.count("t")
    assert found["ttt"].right == 1
    assert (found["demonstrations"].right, found["demonstrations"].hurt) == (0, 1)
