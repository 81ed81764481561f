"""`whet tune`: the recipe of per-request training that answers best, for one model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from server.commands.common import (
    Subparsers,
    add_folder_arguments,
    add_json_file,
    add_tenant_argument,
    command_parser,
    number_between,
    open_memory,
    open_tables,
    settings_of,
)
from server.commands.doing import add_detach, done_here, say_detached
from server.commands.template import (
    add_template_arguments,
    refuse_unknown_rendering,
    template_of,
    whole_path,
)
from server.jobs.limits import MOST_OPEN
from server.models.catalogue import BUILT_IN
from server.models.named import base_model, choose
from server.terminal import print_fields, print_table, write_json

if TYPE_CHECKING:
    from adaptation.learning.training.trainer import Recipe
    from adaptation.learning.tuning.search import Standing, Trial
    from memory.offline.job import NewJob
    from server.tuning.tuned import Tuned

EXAMPLES = """\
  whet tune --model smollm2            an hour and more on two cores; goes on where it stopped
  whet tune --worlds 2 --questions 16  more tasks, so that less is left to luck
  whet tune --own --tenant acme        on a tenant's verified records, by cross-validation
  whet tune --detach                   leave it to the server of this data folder
  whet tune --forget                   back to the recipe that the model's size suggests

Recipes are tried on worlds that no evaluation asks about: trained on 48 solved examples, then
asked questions that only these explain. With --own some of a tenant's verified records are asked,
and others near them learned. `whet serve` takes what is found when it starts next.
"""
SHOWN = 12
"""Recipes in the table."""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet tune`."""
    summary = "find the recipe of per-request training for a model"
    parser = command_parser(subparsers, "tune", summary, EXAMPLES)
    add_folder_arguments(parser, json=False)
    add_detach(parser)
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
    parser.add_argument(
        "--own", action="store_true", help="try on the tenant's own records, not on invented worlds"
    )
    add_tenant_argument(parser, "whose records, with --own")
    parser.add_argument("--forget", action="store_true", help="take what was found before away")
    add_json_file(parser, "every trial")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Search, keep what is found and print it."""
    settings = settings_of(args)
    args.model = choose(args.model, settings.data_dir).model
    from server.jobs.kinds.tune import TuneResult
    from server.tuning.tuned import TUNED

    if args.forget:
        TUNED.save(settings.data_dir, base_model(args.model), None)
        print_fields({"recipe": "the one that the model's size suggests"})
        return 0
    refuse_unknown_rendering(args)
    opened = open_memory if args.own else open_tables  # own records are found by their likeness
    with opened(args, create=True) as memory:
        job = memory.jobs.create(_asked(args), MOST_OPEN)
        if args.detach:
            return say_detached(job)
        found = TuneResult.model_validate(done_here(memory, settings, job))
    if args.json != "-":
        _print(_standings(found.trials), found.tuned, found.kept_in)
    write_json(found.model_dump(mode="json", exclude={"kept_in"}), args.json)
    return 0


def _asked(args: argparse.Namespace) -> NewJob:
    from memory.offline.job import JobKind, NewJob
    from server.jobs.kinds.tune import TuneRequest

    asked = TuneRequest(
        model=whole_path(args.model),
        base=base_model(args.model),
        template=template_of(args),
        worlds=args.worlds,
        questions=args.questions,
        own=args.own,
    )
    request = asked.model_dump(mode="json")
    return NewJob(tenant=args.tenant, kind=JobKind.TUNE, request=request)


def _standings(trials: Sequence[Trial]) -> list[Standing]:
    """Return how every recipe stands, in the order of the trials."""
    from adaptation.learning.tuning.search import Standing

    found: dict[Recipe, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.recipe, []).append(trial)
    return [Standing(recipe, tuple(each)) for recipe, each in found.items()]


def _print(standings: Sequence[Standing], best: Tuned, path: str) -> None:
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
            "kept in": path,
        }
    )


def _shown(recipe: Recipe) -> tuple[str, int, int, int, str]:
    rate, least = f"{recipe.learning_rate:g}", f"{recipe.min_loss:g}"
    return rate, recipe.steps, recipe.rank, recipe.batch_size, least
