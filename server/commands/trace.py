"""`whet trace`: from an answer to the records and the adapter behind it, and back."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.tree import Tree

from server.commands.common import (
    Subparsers,
    add_folder_arguments,
    add_tenant_argument,
    command_parser,
    number_between,
    open_tables,
)
from server.terminal import plain, print_json, print_tree

if TYPE_CHECKING:
    from memory.versions.lineage import Link, Traced

EXAMPLES = """\
  whet trace chatcmpl-0123456789ab       what an answer was served through and learned from
  whet trace rec_0123456789ab            which answer became a record, and whom it taught
  whet trace ad_0123456789ab --depth 1   what a version learned from, and what it answered
  whet trace ft:whet-pebble:whet::012345 the same of a fine-tuned model, by its name
  whet trace ftjob-0123456789ab          what a job read and made
"""
DEPTH, DEEPEST = 2, 6
"""From an answer over a record to the request that the record came from."""
LISTS = "whet memory list`, `whet adapters list` or `whet jobs list"
SHOWN = 5
"""Ids of one relation that a person is shown."""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet trace`."""
    summary = "follow an answer to its records and adapter, and back"
    parser = command_parser(subparsers, "trace", summary, EXAMPLES)
    parser.add_argument(
        "id",
        metavar="ID",
        help="id of an answer, a record, an adapter version, a job or a file, or a model's name",
    )
    parser.add_argument(
        "--depth",
        type=number_between(0, DEEPEST),
        default=DEPTH,
        metavar="N",
        help=f"how many links to follow, 0 to {DEEPEST} (default: {DEPTH})",
    )
    add_tenant_argument(parser, "whose")
    add_folder_arguments(parser)
    parser.set_defaults(run=run, shown_by=LISTS)


def run(args: argparse.Namespace) -> int:
    """Print the thing and what hangs together with it."""
    with open_tables(args) as memory:
        found = list(memory.lineage.walk(args.tenant, args.id, args.depth))
    if args.json:
        print_json({"data": [thing.model_dump(mode="json") for thing in found]})
    else:
        print_tree(tree_of(found))
    return 0


def tree_of(found: Sequence[Traced]) -> Tree:
    """Return what was found as a tree; each thing is told of once."""
    left = {thing.id: thing for thing in found}
    return _grown(left.pop(found[0].id), left)


def _grown(thing: Traced, left: dict[str, Traced]) -> Tree:
    tree = Tree(_told(thing))
    for link in thing.links:
        branch = tree.add(escape(_counted(link)))
        mine = [(i, left.pop(i, None)) for i in link.ids[:SHOWN]]
        for thing_id, other in mine:
            branch.add(_grown(other, left) if other else escape(plain(thing_id)))
    return tree


def _counted(link: Link) -> str:
    hidden = link.total - min(len(link.ids), SHOWN)
    return f"{link.relation} ({link.total}, {hidden} not shown)" if hidden > 0 else link.relation


def _told(thing: Traced) -> str:
    facts = ", ".join(f"{name} {_fact(value)}" for name, value in thing.facts.items())
    return escape(f"{thing.kind} {plain(thing.id)}{': ' if facts else ''}{facts}")


def _fact(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.2f}" if isinstance(value, float) else plain(str(value), 60)
