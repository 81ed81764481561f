"""Expressions: the order of writing never splits a vote, and unequal values never merge."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.answers import canonical, same_answer
from adaptation.answers.arithmetic import canonical_arithmetic, value_and_numbers

Tree = int | tuple["Tree", str, "Tree"]
NUMBERS = st.integers(min_value=0, max_value=99)
TREES: st.SearchStrategy[Tree] = st.recursive(
    NUMBERS, lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner), max_leaves=6
)


def written(tree: Tree, rng: Random) -> str:
    """One of the ways to write it: operands of + and * in any order, any sign for times."""
    if isinstance(tree, int):
        return str(tree)
    left, sign, right = tree
    parts = [written(left, rng), written(right, rng)]
    if sign in "+*":
        rng.shuffle(parts)
    sign = rng.choice(("*", "×", " * ", "\\times ")) if sign == "*" else sign
    return f"({parts[0]}{sign}{parts[1]})"


@given(TREES, st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_the_order_of_operands_does_not_matter(tree: Tree, first: Random, second: Random) -> None:
    one, other = written(tree, first), written(tree, second)
    if "+" in one or "*" in one or "×" in one:
        assert canonical(f"{one}+1") == canonical(f"1+{other}")


@given(TREES, TREES)
def test_expressions_of_unequal_value_never_merge(first: Tree, second: Tree) -> None:
    texts = [f"{written(tree, Random(0))}+1" for tree in (first, second)]
    values = [eval(text.replace("×", "*").replace("\\times", "*")) for text in texts]
    if values[0] != values[1]:
        assert not same_answer(*texts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(3+4)*2", "14"),  # who asks for an expression does not want its value
        ("(3+4)*2", "7*2"),
        ("2024-11-21", "2024-21-11"),
        ("2024/1/2", "2024/2/1"),
        ("x+1+2", "x+2+1"),  # no plain numbers: by spelling, as before
    ],
)
def test_what_may_mean_something_else_stays_apart(one: str, other: str) -> None:
    assert not same_answer(one, other)


@pytest.mark.parametrize(
    "hostile", ["9**9**9", "1+" * 5000 + "1", "(" * 150 + "1+1", "1/0+1", "+", "f(1)+1", "1+True"]
)
def test_what_is_no_expression_is_left_alone(hostile: str) -> None:
    assert canonical_arithmetic(hostile) is None


def test_value_and_numbers_are_exact() -> None:
    found = value_and_numbers("1/3+2/3")
    assert found is not None
    value, numbers = found
    assert value == 1
    assert sorted(numbers.elements()) == [1, 2, 3, 3]
