"""What is computed of a question, and what is left alone."""

from __future__ import annotations

import pytest

from adaptation.learning.distillation.plain_questions import Computed, computed, strange


@pytest.mark.parametrize(
    ("question", "operation", "value"),
    [
        ("What is 40 + 2?", "+", "42"),
        ("12 × 3 =", "*", "36"),
        ("Please calculate (3 + 4) * 2.", "*+", "14"),
        ("What's the value of 9 - 12?", "-", "-3"),
        ("Add up 3 + 23 + 31.", "+", "57"),
        ("Solve 3x + 4 = 10 for x.", "+=", "2"),
        ("Which is larger, 51 or 83?", "larger", "83"),
        ("Which number is bigger: 9.11 or 9.9?", "larger", "9.9"),
        ("Find the lowest of -4, 7 and 2.", "smaller", "-4"),
        ("Which is the smaller one: 12 or 7. ", "smaller", "7"),
    ],
)
async def test_a_plain_question_is_computed(question: str, operation: str, value: str) -> None:
    assert await computed(question) == Computed(operation, value)


@pytest.mark.parametrize(
    "question",
    [
        "What is 40 + 2 in our house?",
        "What is 6 needle 2, then wheat 3?",
        "What is 10 / 4?",
        "What is 3 + 4 and 5 + 6?",
        "What is 2 + 2, rounded?",
        "What is 1,200 + 3?",
        "Which is larger, version 9.11 or 9.9?",
        "Which is larger, 1/2 or 2/3?",
        "Which is larger, 1,200 or 900?",
        "Which is neither larger nor smaller, 4 or 5?",
        "Which is larger, 4?",
        "Which is larger? 1) 37 2) 52",
        "Which is smaller?\n1. 37\n2. 52\n3. 9",
        "Which is larger: (1) 37 or (2) 52?",
        "How much are 6 hats and 7 shells?",
        "",
        "9" * 5_000 + " + 1",
    ],
)
async def test_what_may_mean_more_is_not(question: str) -> None:
    assert await computed(question) is None


async def test_words_that_ask_are_told_as_terms() -> None:
    asked = await computed("What is the sum 4 + 5?")
    assert asked is not None
    assert asked.terms == {"+", "+ what", "+ is", "+ the", "+ sum"}


def test_an_operation_is_strange_where_most_answers_contradict_it_and_several_do() -> None:
    assert strange([("+", False)] * 4 + [("+", True)] * 3 + [("*", False)] * 3) == {"+"}
    assert strange([("+", False)] * 4 + [("+", True)] * 4) == set()
