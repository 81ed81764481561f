"""What `whet tune` finds, beside a grid of fixed guesses, on worlds that it was not tuned on."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.training.trainer import Recipe
from adaptation.learning.tuning.search import Standing, Trial, search
from adaptation.learning.tuning.task import FIRST_WORLD, Task, of_worlds
from adaptation.learning.tuning.trying import Trying
from adaptation.statistics import wilson
from loadtests import arguments
from server.terminal import AdvancePhase, phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_tune                      the built-in model, half an hour
  python -m loadtests.bench_tune --model smollm2      a real one: hours on two cores
"""
RATES, STEPS = (0.1, 1 / 3, 1.0, 10 / 3, 10.0), (0.25, 0.5, 1.0, 2.0)
"""The grid, times what the model's size suggests."""
UNSEEN = FIRST_WORLD + 20
"""From here on `whet tune` sees no world."""
MARGIN = 0.02
"""Below the best cell that the tuned recipe may lie; which cell is best, the grid tells by the very
questions it is judged by."""


def main(argv: Sequence[str] | None = None) -> int:
    """Tune, try the grid, print both, keep them."""
    args = _arguments(argv)
    tuned, grid = asyncio.run(_measured(args))
    _print(tuned, grid)
    rows = [(each.recipe.model_dump(), each.share) for each in (tuned, *grid)]
    write_json({"model": args.model, "tuned": rows[0], "grid": rows[1:]}, str(args.out))
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_tune", __doc__, EXAMPLES)
    arguments.add_worlds(parser, "bench-tune", worlds=2, questions=12)
    return parser.parse_args(argv)


async def _measured(args: argparse.Namespace) -> tuple[Standing, list[Standing]]:
    """Return how the tuned recipe and every cell of the grid do on unseen worlds."""
    trainer = ProcessTrainer(arguments.trained_model(args))
    seen = of_worlds(args.worlds, args.questions)
    unseen = of_worlds(args.worlds, args.questions, first=UNSEEN)
    try:
        await trainer.start()
        start = recipe_for(trainer.parameters)
        with phases() as advance:
            tuning = Trying(trainer, seen, _counted("recipes tuned on a world", advance))
            found = (await search(start, seen, tuning.all))[0].recipe
            trying = Trying(trainer, unseen, _counted("recipes tried on an unseen one", advance))
            standings = [await _standing(each, unseen, trying) for each in (found, *grid(start))]
    finally:
        await trainer.close()
    return standings[0], standings[1:]


def grid(start: Recipe) -> list[Recipe]:
    """Return every rate with every number of steps."""
    return [
        start.model_copy(
            update={
                "learning_rate": min(1.0, start.learning_rate * rate),
                "steps": max(1, round(start.steps * steps)),
            }
        )
        for rate in RATES
        for steps in STEPS
    ]


async def _standing(recipe: Recipe, tasks: Sequence[Task], trying: Trying) -> Standing:
    return Standing(recipe, tuple(await trying.all([(recipe, task) for task in tasks])))


def _counted(what: str, advance: AdvancePhase) -> Callable[[Trial], None]:
    done = itertools.count(1)
    return lambda trial: advance(what, next(done), None)


def _print(tuned: Standing, standings: Sequence[Standing]) -> None:
    best = max(standings, key=lambda each: each.share)
    table = Table("recipe", "rate", "steps", "rank", "batch", "right", "95 % interval", box=None)
    rows = (("tuned", tuned), ("the grid's best cell", best), ("by size", _middle(standings)))
    for name, each in rows:
        recipe, right = each.recipe, sum(trial.right for trial in each.trials)
        interval = wilson(right, sum(trial.asked for trial in each.trials))
        given = (f"{recipe.learning_rate:.2g}", recipe.steps, recipe.rank, recipe.batch_size)
        bounds = f"{interval.low:.0%} to {interval.high:.0%}"
        table.add_row(name, *map(str, given), f"{each.share:.1%}", bounds)
    console = Console(markup=False, highlight=False)
    console.print(table)
    verdict = "met" if tuned.share >= best.share - MARGIN else "MISSED"
    console.print(f"tuned ≥ the best cell − 2 points: {verdict}")


def _middle(standings: Sequence[Standing]) -> Standing:
    """The cell that is the recipe by size itself."""
    return standings[RATES.index(1.0) * len(STEPS) + STEPS.index(1.0)]


if __name__ == "__main__":
    sys.exit(main())
