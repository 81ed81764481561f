"""Splits: every question belongs to exactly one, and to the same one for ever."""

from collections import Counter
from itertools import combinations, count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.evaluation.suites.errors import TooFewQuestionsError
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import (
    BUCKETS,
    Split,
    draw_distinct,
    draw_from,
    split_of,
)
from adaptation.evaluation.suites.suite import FIRST_TRAINING_WORLD, WORLD_SEEDS


def test_the_buckets_are_divided_among_the_splits_without_rest() -> None:
    assert sorted(bucket for split in Split for bucket in split.value) == list(range(BUCKETS))


def test_a_share_of_all_questions_falls_to_each_split() -> None:
    questions = 16_000
    found = Counter(split_of(f"What is {n}?") for n in range(questions))
    for split in Split:
        assert found[split] / questions == pytest.approx(len(split.value) / BUCKETS, rel=0.1)


@pytest.mark.parametrize(
    ("question", "split"),
    [
        ("What is 15 lamp 7, then river 3?", Split.TRAINING),
        ("What is 3 + 4?", Split.TRAINING),
        ("Make 10 from 3 and 7, each used once.", Split.EVALUATION),
        ("Solve x + 5 = 9.", Split.MEMORY),
        ("Solve x + 2 = 3.", Split.DEVELOPMENT),
    ],
)
def test_a_split_never_changes_for_the_shipped_weights_were_trained_by_it(
    question: str, split: Split
) -> None:
    assert split_of(question) is split


@given(st.sampled_from(list(Split)), st.integers())
def test_what_is_drawn_from_a_split_belongs_to_it(split: Split, seed: int) -> None:
    task = draw_from(split, lambda rng: numbered(rng.randrange(10**6)), Random(seed))
    assert split_of(task.question) is split


@given(st.integers(0, 12), st.integers())
def test_distinct_draws_keep_the_order_they_came_in(n: int, seed: int) -> None:
    def draw(rng: Random) -> Solved:
        return numbered(rng.randrange(500))

    found = draw_distinct(n, Split.MEMORY, draw, Random(seed))
    assert len({task.question for task in found}) == n
    assert found == draw_distinct(n + 3, Split.MEMORY, draw, Random(seed))[:n]


def test_a_generator_that_never_hits_the_split_is_given_up() -> None:
    other = next(task for n in count() if split_of((task := numbered(n)).question) is Split.MEMORY)
    with pytest.raises(TooFewQuestionsError, match="evaluation"):
        draw_from(Split.EVALUATION, lambda _: other, Random(0))


def test_the_seeds_of_worlds_that_are_trained_developed_and_evaluated_never_meet() -> None:
    for one, other in combinations(WORLD_SEEDS.values(), 2):
        assert one.stop <= other.start or other.stop <= one.start
    assert WORLD_SEEDS[Split.TRAINING].start == FIRST_TRAINING_WORLD


def numbered(n: int) -> Solved:
    return Solved(f"What is {n}?", f"#### {n}", str(n), "numbered")
