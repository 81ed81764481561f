"""Expressions: the order of writing never splits a vote, and unequal values never merge."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.identity.answers import agree, canonical
from memory.identity.answers.arithmetic import canonical_arithmetic, value_and_numbers

Tree = int | tuple["Tree", str, "Tree"]
NUMBERS = st.integers(min_value=0, max_value=99)
TREES: st.SearchStrategy[Tree] = st.recursive(
    NUMBERS, lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner), max_leaves=6
)


def same(a: str, b: str) -> bool:
    """Whether the two are one answer among themselves."""
    return agree(canonical(a), canonical(b))


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


def other_signs(tree: Tree, rng: Random) -> Tree:
    """The same numbers in the same places, with other operations between them."""
    if isinstance(tree, int):
        return tree
    left, _, right = tree
    return other_signs(left, rng), rng.choice("+-*"), other_signs(right, rng)


@given(TREES, NUMBERS, st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_the_order_of_operands_does_not_matter(
    tree: Tree, more: int, first: Random, second: Random
) -> None:
    assert canonical(f"({written(tree, first)}+1)*{more}") == canonical(
        f"{more}*(1+{written(tree, second)})"
    )


@given(TREES, st.randoms(use_true_random=False))
def test_expressions_of_unequal_value_never_merge(tree: Tree, rng: Random) -> None:
    """Of the same numbers, so that only the value tells them apart."""
    texts = [f"({written(each, Random(0))}+1)*3" for each in (tree, other_signs(tree, rng))]
    values = [eval(text.replace("×", "*").replace("\\times", "*")) for text in texts]
    assert same(*texts) is (values[0] == values[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(3+4)*2", "14"),  # who asks for an expression does not want its value
        ("(3+4)*2", "7*2"),
        ("2024-11-21", "2024-21-11"),
        ("2024/1/2", "2024/2/1"),
        ("2 × 3", "3 × 2"),
        ("2\\times 3\\times 4", "4\\times 3\\times 2"),
        ("(2×3)", "(3×2)"),
        ("10+5", "5+10"),
        ("(3+4)*2", "14 of 2,3,4"),
    ],
)
def test_what_may_mean_something_else_stays_apart(one: str, other: str) -> None:
    assert not same(one, other)


@pytest.mark.parametrize(
    "hostile",
    [
        "9**9**9+1",
        "1+" * 5000 + "1-1",
        "(" * 150 + "1+1-1",
        "1/0+1",
        "+-",
        "f(1)+1-1",
        "1+True-1",
        "(3+4)*5#6",
        "(0x10+5)*2",
        "(1_0+5)*2",
    ],
)
def test_what_is_no_expression_is_left_alone(hostile: str) -> None:
    assert canonical_arithmetic(hostile) is None


def test_value_and_numbers_are_exact() -> None:
    found = value_and_numbers(" 1/3 + 2/3 ")
    assert found is not None
    value, numbers = found
    assert value == 1
    assert sorted(numbers.elements()) == [1, 2, 3, 3]
