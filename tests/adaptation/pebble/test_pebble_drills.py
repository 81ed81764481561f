"""Drills: their answers, recomputed from the question alone."""

import re
from collections.abc import Callable
from random import Random

import pytest

from adaptation.evaluation.suites.solved import Solved, final_answer
from adaptation.pebble.drills import DRILLS


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


def calculation_answer(task: Solved) -> int:
    return eval(re.search(r"\d[\d +-]*\d|\d", task.question)[0])


def product_answer(task: Solved) -> int:
    a, b = numbers(task.question)
    return a * b


def comparison_answer(task: Solved) -> int:
    return (max if "larger" in task.question else min)(numbers(task.question))


RECOMPUTED: dict[str, Callable[[Solved], int]] = {
    "calculation": calculation_answer,
    "product": product_answer,
    "comparison": comparison_answer,
}


@pytest.mark.parametrize("name", DRILLS)
def test_every_answer_follows_from_its_question(name: str) -> None:
    rng = Random(name)
    for _ in range(200):
        task = DRILLS[name](rng)
        assert task.answer == str(RECOMPUTED[name](task)), task.question
        assert final_answer(task.rationale) == task.answer
        assert task.task == name


def claims(work: str) -> list[bool]:
    """Whether each thing that a worked solution states is true."""
    sums = re.findall(r"(\d+[-+*]\d+)=(\d+)", work)
    compared = re.findall(r"(\d+) is (more|less) than (\d+)", work)
    return [eval(left) == int(right) for left, right in sums] + [
        (int(one) > int(other)) == (word == "more") for one, word, other in compared
    ]


@pytest.mark.parametrize("name", DRILLS)
def test_what_is_written_is_true(name: str) -> None:
    rng = Random(name)
    for _ in range(200):
        work = DRILLS[name](rng).rationale
        states = claims(work)
        assert states, work
        assert all(states), work
