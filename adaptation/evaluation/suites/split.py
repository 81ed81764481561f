"""Which questions may be trained on, remembered or asked: a property of the question itself.

A hash of its text puts every question into one split, whatever generator, seed or level drew it. So
no evaluation question can occur in training data or in a suite's memory, by construction and not by
the care of whoever chooses seeds. Worlds are split by their seeds as well.
"""

import hashlib
from collections.abc import Callable
from enum import Enum
from random import Random

from adaptation.evaluation.suites.errors import TooFewQuestionsError
from adaptation.evaluation.suites.solved import Solved

BUCKETS = 16
DRAWS_PER_PROBLEM = 2_000
"""After so many vain draws for one question a generator is taken to be exhausted."""


class Split(Enum):
    """What a question is for; the value is the range of its hash buckets."""

    EVALUATION = range(2)
    MEMORY = range(2, 4)
    """Solved examples given to the model at test time: demonstrations, neighbours."""
    DEVELOPMENT = range(4, 5)
    """For choosing hyper-parameters and difficulty, so that evaluation stays unseen."""
    TRAINING = range(5, BUCKETS)


OF_BUCKET = tuple(split for split in Split for _ in split.value)
"""By bucket: every draw of a generator is looked up."""


def split_of(question: str) -> Split:
    """The one split a question belongs to."""
    return OF_BUCKET[hashlib.blake2b(question.encode(), digest_size=1).digest()[0] % BUCKETS]


def draw_from(split: Split, draw: Callable[[Random], Solved], rng: Random) -> Solved:
    """Draw until a question of the split comes."""
    for _ in range(DRAWS_PER_PROBLEM):
        task = draw(rng)
        if split_of(task.question) is split:
            return task
    raise TooFewQuestionsError(f"no {split.name.lower()} question in {DRAWS_PER_PROBLEM} draws")


def draw_distinct(
    n: int, split: Split, draw: Callable[[Random], Solved], rng: Random
) -> list[Solved]:
    """`n` different questions of one split, in the order they were drawn."""
    found: dict[str, Solved] = {}
    vain = 0
    while len(found) < n:
        try:
            task = draw_from(split, draw, rng)
        except TooFewQuestionsError as error:
            raise TooFewQuestionsError(str(error), len(found)) from error
        vain = vain + 1 if task.question in found else 0
        found.setdefault(task.question, task)
        if vain > DRAWS_PER_PROBLEM:
            raise TooFewQuestionsError(
                f"{task.task} has only about {len(found)} {split.name.lower()} questions, "
                f"{n} were asked for",
                len(found),
            )
    return list(found.values())
