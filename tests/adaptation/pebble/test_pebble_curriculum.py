"""Worlds: right answers, no leak, and no overlap between training and evaluation."""

import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from adaptation.pebble.solved import final_answer
from adaptation.pebble.worlds import (
    FIRST_TRAINING_SEED,
    Facts,
    Jargon,
    Split,
    training_worlds,
    world_seed,
)

MEANINGS = {
    "adds": lambda a, b: a + b,
    "differs": lambda a, b: a - b if a > b else b - a,
    "peaks": lambda a, b: a if a > b else b,
    "dips": lambda a, b: b if a > b else a,
    "doubles": lambda a, b: a + a + b,
    "twins": lambda a, b: a + b + b,
    "bumps": lambda a, b: a + b + 1,
    "trims": lambda a, b: a + b - 1,
    "raises": lambda a, b: a + b + 10,
}

seeds = st.integers(0, 2**32)


@given(seeds)
def test_a_jargon_answer_is_what_its_words_mean(seed: int) -> None:
    world = Jargon(seed)
    for task in world.solved(5, seed):
        a, first, b, second, c = re.fullmatch(
            r"What is (\d+) (\w+) (\d+), then (\w+) (\d+)\?", task.question
        ).groups()
        middle = MEANINGS[world.meaning[first].verb](int(a), int(b))
        assert int(task.answer) == MEANINGS[world.meaning[second].verb](middle, int(c))


@given(seeds)
def test_a_facts_answer_is_the_sum_of_its_prices(seed: int) -> None:
    world = Facts(seed)
    for task in world.solved(5, seed):
        m, x, n, y = re.fullmatch(
            r"How much are (\d+) (\w+) and (\d+) (\w+)\?", task.question
        ).groups()
        assert int(task.answer) == int(m) * world.price[x] + int(n) * world.price[y]


@given(seeds)
def test_a_rationale_states_true_equations_and_ends_in_its_answer(seed: int) -> None:
    for task in Jargon(seed).solved(3, seed) + Facts(seed).solved(3, seed):
        for left, right in re.findall(r"(\d+[-+*]\d+)=(\d+)", task.rationale):
            assert eval(left) == int(right)
        assert task.rationale.endswith(f"\n#### {task.answer}")
        assert final_answer(task.rationale) == task.answer


def test_a_jargon_rationale_names_each_rule_right_after_its_word() -> None:
    world = Jargon(3)
    for task in world.solved(20, 0):
        named = re.findall(r"(?:Here|Then) (\w+) (\w+):", task.rationale)
        assert len(named) == 2
        assert all(world.meaning[word].verb == verb for word, verb in named)


def test_questions_of_a_world_are_distinct_and_repeatable() -> None:
    tasks = Jargon(5).solved(200, seed=1)
    assert len({task.question for task in tasks}) == 200
    assert tasks == Jargon(5).solved(200, seed=1)
    assert tasks != Jargon(6).solved(200, seed=1)


def test_a_question_shows_nothing_of_its_rule() -> None:
    """Same words, same numbers, other rules: the question stays the same, the answer does not."""
    world, other = Jargon(1), Jargon(1)
    rules = list(other.meaning.values())
    other.meaning = dict(zip(other.meaning, rules[1:] + rules[:1], strict=True))
    pairs = list(zip(world.solved(50, 7), other.solved(50, 7), strict=True))
    assert all(mine.question == theirs.question for mine, theirs in pairs)
    assert sum(mine.answer == theirs.answer for mine, theirs in pairs) < 15


def test_training_and_evaluation_seeds_never_meet() -> None:
    rng = Random(0)
    assert all(world_seed(rng, Split.TRAINING) >= FIRST_TRAINING_SEED for _ in range(1000))
    assert all(world_seed(rng, Split.EVALUATION) < FIRST_TRAINING_SEED for _ in range(1000))


def test_training_draws_no_evaluation_world() -> None:
    evaluated = {frozenset(Jargon(seed).meaning.items()) for seed in range(FIRST_TRAINING_SEED)}
    drawn = zip(training_worlds(Random(0)), range(2000), strict=False)
    worlds = [world for world, _ in drawn if isinstance(world, Jargon)]
    assert not evaluated & {frozenset(world.meaning.items()) for world in worlds}
