"""What a run asks: suites with their worlds, questions and examples, drawn before anything is
asked, so that what is wrong with the choice shows at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from adaptation.evaluation.suites.errors import TooFewQuestionsError
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import WORLD_SEEDS, Suite, up_to


@dataclass(frozen=True)
class World:
    """One world of a suite: the questions, and the solved examples an arm may learn from."""

    suite: Suite
    level: int
    world: int
    problems: tuple[Solved, ...]
    examples: tuple[Solved, ...]


@dataclass(frozen=True)
class Plan:
    """All worlds of a run, those of one suite together."""

    worlds: tuple[World, ...]
    seed: int
    split: Split

    @property
    def suites(self) -> tuple[Suite, ...]:
        """In the order they were asked for."""
        return tuple({world.suite.name: world.suite for world in self.worlds}.values())

    @property
    def levels(self) -> dict[str, int]:
        """Difficulty of each suite, by name."""
        return {world.suite.name: world.level for world in self.worlds}

    def of_suite(self, suite: Suite) -> Iterator[World]:
        """Return the worlds of a suite."""
        return (world for world in self.worlds if world.suite.name == suite.name)

    def data_version(self) -> dict[str, str]:
        """A hash of each suite's questions and examples, with their solutions."""
        return {
            suite.name: _hash([(w.problems, w.examples) for w in self.of_suite(suite)])
            for suite in self.suites
        }


def make_plan(
    suites: Sequence[Suite],
    *,
    questions: int,
    examples: int,
    seed: int,
    levels: Mapping[str, int],
    worlds: int | None = None,
    split: Split = Split.EVALUATION,
) -> Plan:
    """Draw `questions` for every suite, spread evenly over its worlds, with `examples` for each
    (or as many as there are).

    `worlds` None leaves their number to the suite. Raises `TooFewQuestionsError` where a suite has
    not as many questions.
    """
    drawn = [
        _world(suite, levels[suite.name], world, share, examples, seed, split)
        for suite in suites
        for world, share in _shares(suite, questions, worlds or suite.worlds, seed, split)
    ]
    return Plan(tuple(drawn), seed, split)


def _shares(
    suite: Suite, questions: int, worlds: int, seed: int, split: Split
) -> Iterator[tuple[int, int]]:
    """Seed of each world, and how many questions are asked about it."""
    if suite.worlds == 0:
        yield 0, questions
        return
    seeds, count = WORLD_SEEDS[split], min(worlds, questions)
    for i in range(count):
        share = questions // count + (i < questions % count)
        yield seeds[(seed * worlds + i) % len(seeds)], share


def _world(
    suite: Suite, level: int, world: int, share: int, examples: int, seed: int, split: Split
) -> World:
    try:
        problems = suite.problems(share, split=split, seed=seed, level=level, world=world)
    except TooFewQuestionsError as error:
        raise TooFewQuestionsError(f"{suite.name}, difficulty {level}: {error}") from error
    shown = up_to(examples, suite, split=Split.MEMORY, seed=seed, level=level, world=world)
    return World(suite, level, world, tuple(problems), tuple(shown))


def _hash(value: list[tuple[tuple[Solved, ...], tuple[Solved, ...]]]) -> str:
    parts = [[[asdict(solved) for solved in part] for part in pair] for pair in value]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:12]
