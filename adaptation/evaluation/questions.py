"""Seeded questions with known answers, from the proving ground's suites.

What is asked is of the evaluation split, what memory is given of the memory split: no question is
ever among the examples, and none of either was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import ceil
from random import Random

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import WORLD_SEEDS
from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerOptions

TASK = "whet-tour"
"""The task that imported examples are filed under, so that they mix with nobody's memory."""

EVERYDAY = (("stories", 4), ("equations", 2), ("stories", 5), ("orders", 1))
"""Suites and levels of the kinds the built-in model was trained on, the harder ones: what one
sample always gets right, or never, tells nothing about votes."""
DOUBTFUL = (("lists", 4), ("lists", 1))
"""Kinds of which one sample of the built-in model is right about twice in three times."""
SHIFTED = SUITES["jargon"]
"""Private worlds, one for each seed."""


def everyday(count: int, seed: int) -> list[Solved]:
    """Return different questions in the model's own domain, the kinds in turn."""
    return _in_turn(EVERYDAY, count, seed)


def doubtful(count: int, seed: int) -> list[Solved]:
    """Return different questions that the built-in model gets right now and then."""
    return _in_turn(DOUBTFUL, count, seed)


def sums(count: int, seed: int) -> list[Solved]:
    """Return different sums of two numbers: what a small real model gets right now and then."""
    pairs = Random(seed).sample([(a, b) for a in range(2, 60) for b in range(2, 60)], count)
    return [solved(f"What is {a} + {b}?", f"{a} + {b} = {a + b}", a + b, "sums") for a, b in pairs]


def shifted(count: int, seed: int) -> list[Solved]:
    """Return questions of one world, from the world seeds that training never draws from."""
    return _of_world(count, seed, Split.EVALUATION)


def examples(count: int, seed: int) -> list[Solved]:
    """Return other solved questions of the same world, for memory."""
    return _of_world(count, seed, Split.MEMORY)


def _in_turn(kinds: Sequence[tuple[str, int]], count: int, seed: int) -> list[Solved]:
    each = ceil(count / len(kinds))
    found = [
        SUITES[name].problems(each, split=Split.EVALUATION, seed=seed, level=level)
        for name, level in kinds
    ]
    return list(chain.from_iterable(zip(*found, strict=True)))[:count]


def _of_world(count: int, seed: int, split: Split) -> list[Solved]:
    seeds = WORLD_SEEDS[Split.EVALUATION]
    world = seeds[seed % len(seeds)]
    level = SHIFTED.default_level
    return SHIFTED.problems(count, split=split, seed=seed, level=level, world=world)


def answer_in(text: str) -> str | None:
    """Return the answer that a reply gives, read as the server reads it."""
    found = extract(text, AnswerOptions())
    return found.text if found and found.structured else None


def is_right(answer: str | None, task: Solved) -> bool:
    """Whether an answer is the task's."""
    return answer is not None and agree(canonical(answer), canonical(task.answer))
