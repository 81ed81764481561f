"""Which recipes are tried, and in what order: successive halving, as answers cost minutes.

Jamieson & Talwalkar 2016 (arXiv 1502.07943): all candidates on few tasks, the better on more. Knows
nothing of how a recipe is tried.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from adaptation.learning.training.trainer import Recipe
from memory.types import Frozen

if TYPE_CHECKING:
    from adaptation.learning.tuning.task import Task

RATES = (0.1, 1 / 3, 1.0, 10 / 3)
"""Times the rate that the model's size suggests."""
STEPS = (0.25, 0.5, 1.0, 2.0)
"""Times its steps."""
RANKS = (0.5, 2.0)
"""Times its rank, tried last: it hardly matters on so few examples."""
BATCHES = (0.25, 0.5, 2.0)
"""Times its batch, tried last with the other two: what a step costs grows with it."""
LEAST_LOSSES = (0.0, 10.0)
"""Times the training loss that ends it."""
MOST_STEPS, MOST_RANK, MOST_BATCH = 256, 32, 64


class Trial(Frozen):
    """What a recipe came to on one task."""

    recipe: Recipe
    task: str
    right: int
    asked: int
    steps: int
    """Steps that were taken before the training stopped by itself."""
    loss: float | None
    """None where the training diverged. Of the held-out conversations, nats a token."""


@dataclass(frozen=True)
class Standing:
    """What a recipe came to on all the tasks it was tried on."""

    recipe: Recipe
    trials: tuple[Trial, ...]

    @property
    def share(self) -> float:
        """Return the share of the questions that were answered rightly."""
        return sum(t.right for t in self.trials) / max(1, sum(t.asked for t in self.trials))

    @property
    def rank(self) -> tuple[float, float, int]:
        """Higher is better: right answers, then a lower loss, then less to train on."""
        losses = [math.inf if trial.loss is None else trial.loss for trial in self.trials]
        return self.share, -sum(losses), -self.recipe.steps * self.recipe.batch_size


TryAll: TypeAlias = "Callable[[Sequence[tuple[Recipe, Task]]], Awaitable[Sequence[Trial]]]"


def candidates(start: Recipe) -> list[Recipe]:
    """Every rate with every number of steps, around the recipe that the size suggests."""
    found = [
        start.model_copy(update={"learning_rate": _rounded(start.learning_rate * r), "steps": n})
        for r in RATES
        for n in sorted({_within(start.steps * s, 4, MOST_STEPS) for s in STEPS})
    ]
    return [recipe for recipe in found if recipe.learning_rate <= 1]


def variants(leader: Recipe) -> list[Recipe]:
    """The best of the candidates with another rank, another batch, or another end."""
    changes: list[dict[str, Any]] = [
        *({"rank": _within(leader.rank * times, 2, MOST_RANK)} for times in RANKS),
        *({"batch_size": _within(leader.batch_size * times, 1, MOST_BATCH)} for times in BATCHES),
        *({"min_loss": leader.min_loss * times} for times in LEAST_LOSSES),
    ]
    found = [leader.model_copy(update=change) for change in changes]
    return [recipe for recipe in dict.fromkeys(found) if recipe != leader]


def most_trials(start: Recipe, n_tasks: int) -> int:
    """Return how many trials a search takes at most: fewer where two variants are the same."""
    n_variants = len(RANKS) + len(BATCHES) + len(LEAST_LOSSES)
    return sum(_trials(n, n_tasks) for n in (len(candidates(start)), n_variants))


def _trials(alive: int, n_tasks: int) -> int:
    """Return the trials of so many recipes on so many tasks; see `_halve`."""
    total = before = 0
    for tried in _rounds(max(1, n_tasks // 4), n_tasks):
        total, before = total + alive * (tried - before), tried
        alive = min(alive, _kept(alive))
    return total


def _kept(alive: int) -> int:
    """Return how many recipes go on to more tasks."""
    return max(2, math.ceil(alive / 4))


async def search(start: Recipe, tasks: Sequence[Task], try_all: TryAll) -> list[Standing]:
    """Return every recipe that was tried, the best first; those tried on all tasks lead."""
    trials: dict[Recipe, list[Trial]] = {}
    leader = await _halve(trials, candidates(start), tasks, try_all)
    await _halve(trials, variants(leader), tasks, try_all)
    standings = [Standing(recipe, tuple(found)) for recipe, found in trials.items()]
    return sorted(standings, key=lambda each: (len(each.trials), each.rank), reverse=True)


async def _halve(
    trials: dict[Recipe, list[Trial]],
    recipes: Sequence[Recipe],
    tasks: Sequence[Task],
    try_all: TryAll,
) -> Recipe:
    """Try all on few tasks and the better on more; return the best of those tried on all."""
    alive = list(recipes)
    for tried in _rounds(max(1, len(tasks) // 4), len(tasks)):
        await _extend(trials, alive, tasks[:tried], try_all)
        alive = _best(trials, alive)[: _kept(len(alive))]
    return alive[0]


def _rounds(first: int, last: int) -> list[int]:
    """Numbers of tasks: few, more, all."""
    return sorted({first, min(last, 2 * first), last})


async def _extend(
    trials: dict[Recipe, list[Trial]],
    recipes: Sequence[Recipe],
    tasks: Sequence[Task],
    try_all: TryAll,
) -> None:
    """Try recipes on the tasks that they were not tried on yet."""
    asked = [
        (recipe, task)
        for recipe in recipes
        for task in tasks
        if task.name not in {trial.task for trial in trials.get(recipe, ())}
    ]
    for trial in await try_all(asked):
        trials.setdefault(trial.recipe, []).append(trial)


def _best(trials: dict[Recipe, list[Trial]], recipes: Sequence[Recipe]) -> list[Recipe]:
    standings = [Standing(recipe, tuple(trials[recipe])) for recipe in recipes]
    return [each.recipe for each in sorted(standings, key=lambda each: each.rank, reverse=True)]


def _rounded(rate: float) -> float:
    return float(f"{rate:.1e}")


def _within(value: float, least: int, most: int) -> int:
    return max(least, min(most, round(value)))
