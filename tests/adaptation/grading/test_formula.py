"""The formula of a multi grader is reckoned as written, and nothing else is run."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.grading.errors import GradingError
from adaptation.grading.formula import MOST_OPERATIONS, Formula


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("2 ^ 3 ^ 2", 512), ("-2 ^ 2", -4), ("2 ^ -1", 0.5),
        ("10 - 3 - 2", 5), ("8 / 4 / 2", 1), ("2 ** 3", 8), (".5 + 1e1", 10.5), ("- -1", 1),
        ("max(1, 2, a) + min(a, 1)", 4), ("abs(-a)", 3), ("floor(1.5) + ceil(1.5)", 3),
        ("sqrt(4) + exp(0) + log(1)", 3), ("a_1 * 2", 14),
    ],
)  # fmt: skip
def test_it_has_the_value_it_says(text: str, value: float) -> None:
    assert Formula(text)({"a": 3.0, "a_1": 7.0}) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "", "1 +", "(1", "1)", "1 2", "a b", "f(1)", "max(1)", "sqrt(1, 2)", "a.b", "a[0]",
        "__import__('os')", "a if b else c", "1 % 2", "+", ",", "max(,)", "(" * 99 + "1" + ")" * 99,
        "+".join("1" * (MOST_OPERATIONS + 2)),
    ],
)  # fmt: skip
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(GradingError, match="the formula is wrong"):
        Formula(text)


@pytest.mark.parametrize("text", ["1 / 0", "log(0)", "sqrt(0-1)", "10 ^ 999", "(0-8) ^ 0.5"])
def test_what_has_no_value_is_told(text: str) -> None:
    formula = Formula(text)
    with pytest.raises(GradingError, match="the formula is wrong"):
        formula({})


def test_the_longest_formula_is_reckoned() -> None:
    assert Formula("+".join("1" * (MOST_OPERATIONS + 1)))({}) == MOST_OPERATIONS + 1


@given(st.text(alphabet="0123456789.eE+-*/^(), abmaxin_", max_size=40))
def test_any_text_is_a_number_or_an_error(text: str) -> None:
    try:
        value = Formula(text)({"a": 0.5, "b": 2.0, "max": 1.0, "min": 1.0})
    except (GradingError, KeyError):
        return
    assert math.isfinite(value)
