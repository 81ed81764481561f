"""`whet rebase`: the champion again on a new base model, from the records that memory holds.

Weights of one base mean nothing to another. What they were made of does: so the new champion is a
generation of its own, judged against the new base.
"""

from __future__ import annotations

import argparse

from server.commands import distill
from server.commands.common import Subparsers, command_parser, open_tables, settings_of
from server.models.named import base_model, choose
from server.terminal import CommandError

EXAMPLES = """\
  whet rebase --model smollm2 --dry-run    what the new champion would learn from
  whet rebase --model smollm2              train and judge it; where it is better, hand over
  whet serve smollm2                       serve it
  whet adapters rollback                   have the old champion again, for the old model
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet rebase`."""
    summary = "train the champion again on a new base model, from memory"
    parser = command_parser(subparsers, "rebase", summary, EXAMPLES)
    distill.add_arguments(parser)
    parser.add_argument(
        "--model", required=True, help="the new base: a name, a folder or a .gguf file"
    )
    parser.set_defaults(run=run, rebuild=None, parent=None, target=None, student=None)


def run(args: argparse.Namespace) -> int:
    """Run a generation on the new base; one that is rejected is a result too, with status 0."""
    new = base_model(choose(args.model, settings_of(args).data_dir).model)
    with open_tables(args) as memory:
        champion = memory.adapters.alias(args.tenant, "champion")
    if champion is None:
        raise CommandError(
            f"tenant {args.tenant} has no champion: `whet distill --model {args.model}` makes one"
        )
    if champion.base_model == new:
        raise CommandError(f"champion {champion.id} is of {new} already: `whet distill` renews it")
    return distill.run(args)
