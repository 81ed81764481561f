"""`whet tune`: the recipe of per-request training that answers best, for one model."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from server.commands.common import Subparsers, command_parser, number_between, settings_of
from server.commands.template import add_template_arguments, refuse_unknown_rendering, template_of
from server.console import AdvancePhase, phases, print_fields, print_table, write_json
from server.flags import add_arguments
from server.models.catalogue import BUILT_IN
from server.models.named import base_model, choose

if TYPE_CHECKING:
    from adaptation.learning.training.trainer import Recipe
    from adaptation.learning.tuning.search import Standing
    from adaptation.learning.tuning.task import Task
    from adaptation.learning.tuning.trying import Trying
    from server.tuned import Tuned

EXAMPLES = """\
  whet tune --model smollm2            an hour and more on two cores; goes on where it stopped
  whet tune --worlds 2 --questions 16  more tasks, so that less is left to luck
  whet tune --forget                   back to the recipe that the model's size suggests

Recipes are tried on worlds that no evaluation asks about: trained on 16 solved examples, then
asked questions that only these explain. `whet serve` takes what is found when it starts next.
"""
SHOWN = 12
"""Recipes in the table."""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet tune`."""
    summary = "find the recipe of per-request training for a model"
    parser = command_parser(subparsers, "tune", summary, EXAMPLES)
    add_arguments(parser, only={"data_dir"})
    parser.add_argument("--config", type=Path, metavar="FILE", help="read settings from this TOML")
    parser.add_argument(
        "--model",
        default=BUILT_IN,
        help="the model that is served: a name, a folder or a .gguf file (default: whet-pebble)",
    )
    add_template_arguments(parser)
    parser.add_argument(
        "--worlds",
        type=number_between(1, 20),
        default=1,
        help="worlds of each of the four suites (default: 1)",
    )
    parser.add_argument(
        "--questions",
        type=number_between(4, 100),
        default=12,
        help="asked about each world (default: 12)",
    )
    parser.add_argument("--forget", action="store_true", help="take what was found before away")
    parser.add_argument(
        "--json", metavar="FILE", nargs="?", const="-", help="write every trial; no FILE: to stdout"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Search, keep what is found and print it."""
    from server.tuned import TUNED

    data_dir = settings_of(args).data_dir
    args.model = choose(args.model, data_dir).model
    model = base_model(args.model)
    if args.forget:
        TUNED.save(data_dir, model, None)
        print_fields({"recipe": "the one that the model's size suggests"})
        return 0
    refuse_unknown_rendering(args)
    with phases() as advance:
        untrained, standings = asyncio.run(_search(args, data_dir, model, advance))
    best = _tuned(standings[0], untrained)
    path = TUNED.save(data_dir, model, best)
    if args.json != "-":
        _print(standings, best, path)
    write_json(
        {
            "tuned": best.model_dump(mode="json"),
            "trials": [t.model_dump(mode="json") for s in standings for t in s.trials],
        },
        args.json,
    )
    return 0


async def _search(
    args: argparse.Namespace, data_dir: Path, model: str, advance: AdvancePhase
) -> tuple[float, list[Standing]]:
    from adaptation.learning.training.process import ProcessTrainer
    from adaptation.learning.training.recipes import recipe_for
    from adaptation.learning.tuning.search import Trial, search
    from adaptation.learning.tuning.task import of_worlds
    from adaptation.learning.tuning.trying import Trying
    from server.tuning_trials import keep, kept

    tasks = of_worlds(args.worlds, args.questions)
    trainer = ProcessTrainer(args.model, template=template_of(args))
    done = 0

    def note(trial: Trial) -> None:
        nonlocal done
        done += 1
        keep(data_dir, model, args.questions, trial)
        advance("recipes tried on a world", done, None)

    known = list(kept(data_dir, model, args.questions))
    try:
        await trainer.start()
        trying = Trying(trainer, tasks, note, known)
        untrained = await _untrained(trying, tasks, advance)
        return untrained, await search(recipe_for(trainer.parameters), tasks, trying.all)
    finally:
        await trainer.close()


async def _untrained(trying: Trying, tasks: Sequence[Task], advance: AdvancePhase) -> float:
    right = asked = 0
    for number, task in enumerate(tasks, 1):
        right += await trying.untrained(task)
        asked += len(task.questions)
        advance("worlds asked without training", number, len(tasks))
    return right / asked


def _tuned(best: Standing, untrained: float) -> Tuned:
    from server.tuned import Tuned

    return Tuned(
        recipe=best.recipe,
        right=best.share,
        untrained=untrained,
        questions=sum(trial.asked for trial in best.trials),
        worlds=tuple(trial.task for trial in best.trials),
        found_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _print(standings: Sequence[Standing], best: Tuned, path: Path) -> None:
    rows = [
        (*_shown(each.recipe), len(each.trials), f"{each.share:.0%}") for each in standings[:SHOWN]
    ]
    print_table(("rate", "steps", "rank", "batch", "least loss", "worlds", "right"), rows)
    rate, steps, rank, batch, least = _shown(best.recipe)
    right = f"{best.right:.0%} of {best.questions} questions, {best.untrained:.0%} untrained"
    print_fields(
        {
            "recipe": f"rate {rate}, {steps} steps of {batch}, rank {rank}, least loss {least}",
            "right": right,
            "kept in": str(path),
        }
    )


def _shown(recipe: Recipe) -> tuple[str, int, int, int, str]:
    rate, least = f"{recipe.learning_rate:g}", f"{recipe.min_loss:g}"
    return rate, recipe.steps, recipe.rank, recipe.batch_size, least
