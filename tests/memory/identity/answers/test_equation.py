"""When an equation's right side stands for its value in a vote."""

from __future__ import annotations

import pytest

from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerKind, AnswerOptions


def same(a: str, b: str) -> bool:
    """Whether the two are one answer among themselves."""
    return agree(canonical(a), canonical(b))


def key_of(value: str, kind: AnswerKind) -> str:
    answer = extract(rf"\boxed{{{value}}}", AnswerOptions(kind=kind))
    assert answer is not None
    return answer.key


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    ("equation", "value"),
    [
        ("x = 5", "5"),
        ("x=0.5", r"\frac12"),
        (r"\theta = 90", "90"),
        ("x_1 = 5", "5"),
        ("x_{12}=5", "5"),
        ("y = x^2", "x^2"),
    ],
)
def test_a_lone_symbol_stands_for_its_value(equation: str, value: str, kind: AnswerKind) -> None:
    assert agree(key_of(equation, kind), key_of(value, kind))
    assert same(equation, value)


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    ("equation", "value"),
    [
        ("x+y=5", "5"),
        ("2x=5", "5"),
        ("xy = 5", "5"),
        ("x^2+y^2=2", "2"),
        (r"\alpha + \beta = 5", "5"),
        (r"\frac{x}{2} = 5", "5"),
        ("x=2, y=3", "3"),
        ("dy/dx = 3", "3"),
        ("f(x)=x^2", "x^2"),
        ("f(2)=5", "f(3)=5"),
        ("P(A)=1/2", "P(B)=1/2"),
        ("a_n=n^2", "n^2"),
        ("a_{n}=5", "5"),
        ("x+y=5", "x=5"),
    ],
)
def test_an_equation_that_says_more_stays_apart(
    equation: str, value: str, kind: AnswerKind
) -> None:
    assert not agree(key_of(equation, kind), key_of(value, kind))
    assert not same(equation, value)


@pytest.mark.parametrize(
    "worked",
    [
        "3 + 4 = 7",
        r"\frac{14}{2} = 7",
        "x = 3 + 4 = 7",
        "A = 3r + 1 = 7",
        "Total cost = 7",
        "She has x = 7",
        r"\text{sum of a} = 7",
    ],
)
def test_a_calculation_arrives_at_its_value(worked: str) -> None:
    assert agree(key_of(worked, "math"), "7")
