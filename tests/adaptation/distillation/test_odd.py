"""What is odd about a record, and who asks for the same."""

from __future__ import annotations

import pytest

from adaptation.learning.distillation.likeness import nearest
from adaptation.learning.distillation.odd import (
    contradictions,
    far_above,
    form_of_answer,
    of_another_form,
)
from memory.types import Message
from tests.adaptation.distillation.conftest import make_record


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12", "$3.50$"),
        ("3 km", "5 kilometers"),
        ("1 hour", "3 hours"),
        ("B", "(C)"),
        ("Paris", "see the list"),
        ("lamp 24 door", "Lamp 7 door"),
        ('{"a": 1}', '{"b": [2]}'),
    ],
)
def test_answers_of_one_form_differ_in_their_values_only(one: str, other: str) -> None:
    assert form_of_answer(one) == form_of_answer(other)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Who lives  in house 7 ?", "who lives in HOUSE 7", True),
        ("What is 5 & 3?", "What is 5 | 3?", False),
        ("What is the code of A?", "What is the code of a?", False),
        ("How much is 5!", "How much is 5?", False),
        ("What is 12 3?", "What is 1 23?", False),
    ],
)
def test_a_question_in_other_dress_is_the_same_and_with_other_signs_another(
    one: str, other: str, is_same: bool
) -> None:
    told = [
        make_record(n, messages=(Message(role="user", content=asked),), answer=str(n))
        for n, asked in enumerate((one, other))
    ]
    assert contradictions(told) == ({0: (1,), 1: (0,)} if is_same else {})


def test_a_unit_a_letter_and_words_are_forms_of_their_own() -> None:
    answers = ["12", "12 km", "12 hours", "B", "Paris", "lamp 12", '{"a": 12}']
    assert len({form_of_answer(each) for each in answers}) == len(answers)


def test_a_form_is_another_where_nearly_all_others_have_one() -> None:
    assert of_another_form("words", ["a number"] * 4)
    assert of_another_form("words", ["a number"] * 3) is None  # too few to tell
    assert of_another_form("words", ["a number"] * 6 + ["words"]) is None  # an exception they know
    assert of_another_form("words", ["a number", "a letter"] * 4) is None  # no rule
    assert of_another_form("a number", ["a number"] * 8) is None


def test_a_loss_is_far_above_others_in_proportion_and_in_nats() -> None:
    assert far_above(6.0, [0.1] * 6 + [9.0, 9.0], times=4, by=1) == 0.1
    assert far_above(0.9, [0.1] * 8, times=4, by=1) is None
    assert far_above(6.0, [2.0] * 8, times=4, by=1) is None
    assert far_above(6.0, [0.1] * 3, times=4, by=1) is None


def test_the_nearest_are_of_the_same_form_whatever_the_numbers() -> None:
    sums = [f"What is {i} + 2?" for i in range(10)]
    near = nearest([*sums, *(f"Light {i} lamps of ours" for i in range(10))])
    assert set(near[0].places) <= set(range(10))
    assert near[0].alike == tuple(range(1, 10))
    assert set(near[15].places) <= set(range(10, 20))
