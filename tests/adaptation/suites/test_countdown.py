"""Countdown's verifier: any right expression passes, nothing else does, nothing is executed."""

from collections import Counter
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.countdown import draw
from adaptation.evaluation.suites.solved import Solved
from memory.identity.answers.arithmetic import value_and_numbers

SUITE = SUITES["countdown"]
PROBLEM = Solved("Make 24 from 2, 3 and 4, each used once.", "", "(2*3)*4", "countdown")

numbers = st.lists(st.integers(1, 12), min_size=1, max_size=4)


@st.composite
def expressions(draw: st.DrawFn, over: tuple[int, ...]) -> str:
    """Any expression that uses every one of the numbers once, in any order and nesting."""
    if len(over) == 1:
        return str(over[0])
    shuffled = tuple(draw(st.permutations(over)))
    cut = draw(st.integers(1, len(over) - 1))
    left, right = draw(expressions(shuffled[:cut])), draw(expressions(shuffled[cut:]))
    space = draw(st.sampled_from(("", " ")))
    return f"({left}){space}{draw(st.sampled_from('+-*'))}{space}({right})"


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two expressions over the same numbers."""
    over = tuple(draw(numbers))
    return draw(expressions(over)), draw(expressions(over))


def passes(reference: str, reply: str) -> bool:
    return SUITE.verify(Solved("Make it.", "", reference, "countdown"), f"So:\n#### {reply}")


@given(pairs())
def test_an_expression_over_the_same_numbers_passes_exactly_when_its_value_is_right(
    pair: tuple[str, str],
) -> None:
    reference, other = pair
    assert passes(reference, reference)
    assert passes(reference, other) is (eval(reference) == eval(other))


@given(numbers, st.data())
def test_a_left_out_a_foreign_or_a_repeated_number_fails(
    over: list[int], data: st.DataObject
) -> None:
    reference = data.draw(expressions(tuple(over)))
    changed = [*over[:-1], *data.draw(st.lists(st.integers(1, 12), max_size=2))]
    assume(changed and Counter(changed) != Counter(over))
    assert not passes(reference, data.draw(expressions(tuple(changed))))


@pytest.mark.parametrize(
    "reply",
    [
        "2*3*4",
        "4*(2*3)",
        "((2*3)*4)",
        "(2*3*4)",
        " 2 * 3 * 4 ",
        "2×3×4",
        "2*3*4=24",
        "2*3*4 = 24",
        "3 * 4 * 2.",
        "**2*3*4**",
        "2·3·4",
        "\\(2\\times 3\\cdot 4\\)",
        "\\boxed{2 \\times 3 \\times 4}",
    ],
)
def test_the_usual_ways_of_writing_a_right_expression_pass(reply: str) -> None:
    assert SUITE.verify(PROBLEM, f"2*3=6. 6*4=24.\n#### {reply}")


@pytest.mark.parametrize(
    "reply",
    [
        "24",
        "2*3+4",
        "2*12",
        "2*3*4*1",
        "2*3*4+2-2",
        "4*3*2 dollars",
        "24 = 2*3*4",
        "",
        "(2*3*4",
        "2*3*4)",
        "2*3*4.0",
        "2*3*-4",
        "+2*3*4",
        "24/1",
        "4*(3-1)*3",
        "True*2*3*4",
        "2*3*4 if 1 else 0",
        "[2*3*4]",
    ],
)
def test_anything_else_fails(reply: str) -> None:
    assert not SUITE.verify(PROBLEM, f"2*3=6. 6*4=24.\n#### {reply}")


@pytest.mark.parametrize(
    "hostile",
    [
        "9**9**9**9",
        "__import__('os').system('true')",
        "(lambda: 24)()",
        "print(24)",
        "x",
        "'a'*10**9",
        "(" * 150 + "24" + ")" * 150,
        "(" * 90 + "24" + ")" * 90,
        "(" * 100_000 + "24",
        "-" * 190 + "24",
        "1" * 5_000,
        "2*3*4#" + "x" * 500,
        "2*3*4\x00",
        "\ud800",
        "2*3*4; import os",
        "24 or 1",
        "0x",
        "1_000_",
        "{2:3}",
        "2<<9999999",
        "[0]*10**10",
        "`24`",
        "1if 1else 2",
    ],
)
def test_hostile_input_is_wrong_and_does_not_raise(hostile: str) -> None:
    assert not SUITE.verify(PROBLEM, f"#### {hostile}")
    assert not SUITE.verify(PROBLEM, hostile)
    assert value_and_numbers(hostile) in (None, (24, Counter({24: 1})))


@given(st.text())
def test_no_text_makes_the_verifier_raise(text: str) -> None:
    assert not SUITE.verify(PROBLEM, text)
    assert not SUITE.verify(PROBLEM, f"#### {text}x")


@given(st.integers(), st.sampled_from(SUITE.levels))
def test_a_question_states_the_target_and_the_numbers_of_its_solution(
    seed: int, level: int
) -> None:
    problem = draw(Random(seed), level)
    target, listed = problem.question.removesuffix(", each used once.").split(" from ")
    asked = Counter(map(int, listed.replace(" and ", ", ").split(", ")))
    value, used = int(target.removeprefix("Make ")), value_and_numbers(problem.answer)
    assert used == (value, asked)
    assert asked.total() == level + 1
    assert 1 <= value <= 99
