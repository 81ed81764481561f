"""Boxes that one sentence joins are one answer, and a later box is a later answer."""

from __future__ import annotations

import pytest

from memory.identity.answers import canonical
from memory.identity.answers.options import AnswerKind
from tests.memory.identity.answers.reading import key_of


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\boxed{8} \text{ and } \boxed{9}", "8 and 9"),
        (r"x = \boxed{3} or x = \boxed{-3}", "x = 3 or x = -3"),
        (r"\boxed{2}, \boxed{3}, and \boxed{5}", "2, 3 and 5"),
        (r"The roots are \(\boxed{1}\) or \(\boxed{4}\).", "1 or 4"),
        (r"$a = \boxed{6}$ \quad and \quad $b = \boxed{2}$", "a = 6, b = 2"),
        (r"x = \boxed{3} and y = \boxed{3}", "x = 3, y = 3"),
        (r"$$\boxed{7}\text{ or }\boxed{\frac{1}{2}}$$", "7 or 1/2"),
        (r"\boxed{5} and \boxed{5}", "5"),
        (r"\boxed{London} and \boxed{Paris}", "London and Paris"),
    ],
)
def test_joined_boxes_are_a_list(text: str, value: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) == canonical(value)


@pytest.mark.parametrize("kind", ["auto", "math", "choice"])
@pytest.mark.parametrize(
    "text",
    [
        r"The larger is \boxed{9} and the smaller is \boxed{2}.",
        r"Alice gets \boxed{3} apples and Bob gets \boxed{4} apples.",
        r"The answer is \boxed{3} and the other is \boxed{4}. So there are 2 solutions.",
        r"\boxed{(1,2)} and \boxed{(3,4)}",
    ],
)
def test_boxes_that_are_joined_otherwise_give_none(text: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) is None


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"The answer is \boxed{3}. Counting again gives \boxed{4}.", "4"),
        (r"\boxed{1} was wrong, so \boxed{\frac{1}{2}}", "1/2"),
        ("\\boxed{3}\n\n\\boxed{4}", "4"),
        (r"The side is \boxed{3} and so the area is \boxed{9}.", "9"),
    ],
)
def test_a_later_box_is_a_later_answer(text: str, value: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) == canonical(value)


def test_two_boxed_letters_are_no_choice() -> None:
    assert key_of(r"\boxed{B} and \boxed{D}", "choice") is None
