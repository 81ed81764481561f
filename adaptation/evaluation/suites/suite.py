"""What a suite is: seeded questions with worked solutions, and a verifier.

The verifier sees the whole text of a reply (tool calls in Hermes form, as the model wrote them), so
that any server's replies can be judged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from random import Random
from typing import Protocol

from adaptation.evaluation.suites.errors import TooFewQuestionsError
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split, draw_distinct
from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerOptions

FIRST_TRAINING_WORLD = 1_000
"""World seeds below are never trained on; training draws its worlds from this seed up."""

WORLD_SEEDS = {
    Split.EVALUATION: range(500),
    Split.DEVELOPMENT: range(500, FIRST_TRAINING_WORLD),
    Split.TRAINING: range(FIRST_TRAINING_WORLD, 2**40),
}

AUTO = AnswerOptions()
"""Read the answer wherever a reply marks it."""

Draw = Callable[[Random, int], Solved]
"""One question of a level, from a random generator."""
Verify = Callable[[Solved, str], bool]


class Group(StrEnum):
    """What a suite is there to show."""

    IN_DISTRIBUTION = "in distribution"
    """What the built-in model was trained to do: where voting helps and training must not harm."""
    SHIFTED = "shifted"
    """Private worlds that only solved examples explain: where the model has to learn."""
    GUARD = "guard"
    """Manners that learning something else must not cost."""
    EXTERNAL = "external"
    """Somebody else's generator and verifier."""


class Suite(Protocol):
    """Seeded questions and how replies to them are judged."""

    @property
    def name(self) -> str:
        """As `whet eval --suite` takes it."""
        ...

    @property
    def group(self) -> Group:
        """What it is there to show."""
        ...

    @property
    def answer(self) -> AnswerOptions:
        """How the answer is read out of a reply, in a vote."""
        ...

    @property
    def levels(self) -> range:
        """The difficulties there are; 1 is the easiest."""
        ...

    @property
    def default_level(self) -> int:
        """The difficulty of an evaluation that asks for none."""
        ...

    @property
    def worlds(self) -> int:
        """Over how many worlds an evaluation spreads its questions; 0 where there are none."""
        ...

    @property
    def caveat(self) -> str | None:
        """What whoever reads its results should know; None where there is nothing."""
        ...

    def problems(
        self, n: int, *, split: Split, seed: int, level: int, world: int = 0
    ) -> list[Solved]:
        """`n` different questions of one world; raises `TooFewQuestionsError`."""
        ...

    def verify(self, problem: Solved, reply: str) -> bool:
        """Whether the whole text of a reply answers the problem rightly."""
        ...


def up_to(
    n: int, suite: Suite, *, split: Split, seed: int, level: int, world: int = 0
) -> list[Solved]:
    """`n` different questions, or as many as there are."""
    draw = partial(suite.problems, split=split, seed=seed, level=level, world=world)
    try:
        return draw(n) if n else []
    except TooFewQuestionsError as error:
        return draw(error.available) if error.available else []


def answers_alike(problem: Solved, reply: str) -> bool:
    """Whether the marked answer of a reply equals the problem's, by value."""
    found = extract(reply, AUTO)
    return found is not None and found.structured and agree(found.key, canonical(problem.answer))


def equal_by(options: AnswerOptions) -> Verify:
    """A verifier: whether reply and reference give one answer, both read in this way."""

    def check(problem: Solved, reply: str) -> bool:
        found, wanted = extract(reply, options), extract(problem.answer, options)
        return found is not None and wanted is not None and agree(found.key, wanted.key)

    return check


@dataclass(frozen=True)
class Generated:
    """A suite whose questions a function draws."""

    name: str
    group: Group
    draw: Draw
    levels: range
    default_level: int
    check: Verify = answers_alike
    answer: AnswerOptions = AUTO
    worlds: int = 0
    caveat: str | None = None

    def problems(
        self, n: int, *, split: Split, seed: int, level: int, world: int = 0
    ) -> list[Solved]:
        """`n` different questions; there is but one world, so its number says nothing."""
        rng = Random(f"{self.name} {split.name} {seed} {level}")
        return draw_distinct(n, split, lambda rng: self.draw(rng, level), rng)

    def verify(self, problem: Solved, reply: str) -> bool:
        """Whether the reply is right."""
        return self.check(problem, reply)
