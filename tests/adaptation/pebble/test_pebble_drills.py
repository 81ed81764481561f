"""Ordinary tasks: their answers, recomputed from the question alone."""

import re
from random import Random

import pytest

from adaptation.pebble.arithmetic import FAMILIES, SHARES, any_family, arithmetic
from adaptation.pebble.solved import Solved, final_answer


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


def story_answer(task: Solved) -> int:
    start, *events = re.findall(r"[^.?]+[.?]", task.question)[:-1]
    total = numbers(start)[0]
    for event in events:
        sign = -1 if re.search(r"give|lose|sell", event) else 1
        total += sign * numbers(event)[0]
    return total


def paired_answer(task: Solved) -> int:
    a, b, c = numbers(task.question)
    return a + b - c


def order_answer(task: Solved) -> int:
    p, q, m, n = numbers(task.question)
    return m * p + n * q


def calculation_answer(task: Solved) -> int:
    return eval(re.search(r"\d[\d +-]*\d|\d", task.question)[0])


def product_answer(task: Solved) -> int:
    a, b = numbers(task.question)
    return a * b


def comparison_answer(task: Solved) -> int:
    return (max if "larger" in task.question else min)(numbers(task.question))


def sorting_answer(task: Solved) -> str:
    return ", ".join(map(str, sorted(numbers(task.question))))


def counting_answer(task: Solved) -> int:
    things, row = re.fullmatch(r"How many (\w+)s are in this list: (.*)\?", task.question).groups()
    return row.split(", ").count(things)


def equation_answer(task: Solved) -> int:
    *factor, b, c = numbers(task.question)
    return (c - b) // (factor[0] if factor else 1)


RECOMPUTED = {
    "story": story_answer,
    "paired": paired_answer,
    "order": order_answer,
    "calculation": calculation_answer,
    "product": product_answer,
    "comparison": comparison_answer,
    "sorting": sorting_answer,
    "counting": counting_answer,
    "equation": equation_answer,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_answer_follows_from_its_question(name: str) -> None:
    rng = Random(name)
    for _ in range(200):
        task = FAMILIES[name](rng)
        assert task.answer == str(RECOMPUTED[name](task)), task.question
        assert final_answer(task.rationale) == task.answer


def test_written_sums_are_true() -> None:
    rng = Random(0)
    for _ in range(500):
        for left, right in re.findall(
            r"(?<![-+*/\d])(\d+[-+*]\d+)=(\d+)", any_family(rng).rationale
        ):
            assert eval(left) == int(right)


def test_a_story_has_as_many_sums_as_steps() -> None:
    for steps in (1, 2, 4, 6):
        assert arithmetic(Random(steps), steps).rationale.count("=") == steps


def test_every_family_has_a_share() -> None:
    assert set(SHARES) == set(FAMILIES)
