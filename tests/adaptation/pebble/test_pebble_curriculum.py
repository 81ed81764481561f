"""What training draws from the suites: everything, at all levels, in the recipe's shares.

That it draws no evaluated question is held beside the suites.
"""

from collections import Counter
from random import Random

import pytest

from adaptation.evaluation.suites import SUITES, stories
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.pebble.curriculum import (
    GUARDS,
    ORDINARY,
    SHIFTED,
    classrooms,
    manner,
    ordinary,
)
from adaptation.pebble.drills import DRILLS
from adaptation.pebble.recipe import Mixture

MIXTURE = Mixture()


def steps(task: Solved) -> int:
    return task.rationale.count("=")


def test_training_draws_from_every_suite() -> None:
    assert SUITES == ORDINARY | SHIFTED | GUARDS


def test_every_suite_and_drill_has_a_share() -> None:
    assert set(MIXTURE.tasks) == ORDINARY.keys() | DRILLS.keys()
    assert set(MIXTURE.worlds) == SHIFTED.keys()
    assert GUARDS.keys() <= set(MIXTURE.manner_kinds)


def test_ordinary_tasks_come_in_their_shares() -> None:
    rng, draws, whole = Random(0), 4_000, sum(MIXTURE.tasks.values())
    found = Counter(ordinary(rng, MIXTURE).task for _ in range(draws))
    for name, share in MIXTURE.tasks.items():
        assert found[name] / draws == pytest.approx(share / whole, rel=0.3), name


def test_stories_of_all_lengths_are_trained_but_none_of_the_hardest_level() -> None:
    rng = Random(0)
    drawn = [ordinary(rng, Mixture(tasks={"stories": 1})) for _ in range(300)]
    assert {steps(task) for task in drawn} == set(range(1, Mixture().hardest["stories"] + 1))
    firsts = [int(task.question.split()[2]) for task in drawn]  # "Tom has 12 apples."
    assert max(firsts) <= stories.SMALL.first


@pytest.mark.parametrize("name", GUARDS)
def test_a_manner_is_an_exchange_of_its_guard_suite(name: str) -> None:
    task = manner(Random(0), name)
    assert task.task == name
    assert split_of(task.question) is Split.TRAINING
    assert GUARDS[name].verify(task, task.rationale)


def test_a_classroom_keeps_to_one_world_and_one_level() -> None:
    rng = Random(0)
    for _, classroom in zip(range(60), classrooms(rng, MIXTURE), strict=False):
        tasks = classroom.solved(6, rng)
        assert len({task.task for task in tasks}) == 1
        assert {split_of(task.question) for task in tasks} == {Split.TRAINING}
        if tasks[0].task.startswith("jargon/"):
            assert {task.question.count("then") + 1 for task in tasks} == {classroom.level}


def test_classrooms_are_repeatable_and_never_the_same_world_twice() -> None:
    rng, again = Random(1), Random(1)
    first, second = (
        [c.solved(1, each)[0] for _, c in zip(range(200), classrooms(each, MIXTURE), strict=False)]
        for each in (rng, again)
    )
    assert first == second
    assert len({task.task for task in first}) == 200
