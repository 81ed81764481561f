"""`whet practise`: exercises with answers that are computed become records to learn from."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.commands.common import (
    Subparsers,
    add_json_file,
    add_memory_arguments,
    check_suite,
    command_parser,
    number_between,
    open_memory,
    settings_of,
)
from server.commands.doing import add_detach, done_here, say_detached
from server.commands.template import (
    add_template_arguments,
    refuse_unknown_rendering,
    template_of,
    whole_path,
)
from server.jobs.limits import MOST_FAMILIES, MOST_OPEN, MOST_TASKS
from server.models.catalogue import BUILT_IN
from server.models.named import base_model, choose
from server.terminal import CommandError, UsageError, print_table, write_json

if TYPE_CHECKING:
    from memory.offline.job import NewJob
    from server.jobs.kinds.practise import PracticeReport

EXAMPLES = """\
  whet practise --family equations --family rg:chain_sum     generators pose, their scorers judge
  whet practise --self-play                     the model poses sums, equations and programs
  whet practise --self-play --family equations --exercises 200
  whet practise --synthetic                     the model poses more of what is in memory
  whet practise --tests tasks.jsonl             code: {"question": ..., "tests": "assert ..."}
  whet practise --family equations --detach     leave it to the server of this data folder

Every answer is computed or executed, never taken from the model. What the model can solve, and not
always, becomes a record: `whet distill` learns from it beside what people asked.
"""


OWN = frozenset({"sums", "programs"})
"""Families that are no suites."""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet practise`."""
    summary = "have the model solve exercises that are verified, for what it learns from"
    parser = command_parser(subparsers, "practise", summary, EXAMPLES)
    add_memory_arguments(parser, json=False)
    add_template_arguments(parser)
    add_detach(parser)
    add = parser.add_argument
    add("--model", default=BUILT_IN, help="the model that is served (default: whet-pebble)")
    add(
        "--family",
        metavar="NAME",
        action="append",
        default=[],
        help="a suite, rg:FAMILY of reasoning-gym (whet[gym]), sums or programs; may be repeated",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--self-play", action="store_true", help="the model writes the exercises")
    how.add_argument(
        "--synthetic",
        action="store_true",
        help="the model writes exercises after the tenant's records whose answers can be computed",
    )
    add("--tests", metavar="FILE", help="tasks of code with their tests, as JSON lines")
    add(
        "--exercises",
        type=number_between(1, 10_000),
        default=64,
        help="exercises to try (default: 64)",
    )
    add(
        "--max-tokens",
        type=number_between(1, 8192),
        default=256,
        help="most tokens of one reply (default: 256)",
    )
    add_json_file(parser, "the report")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Practise, or leave it to the server."""
    _refuse_what_does_not_go_together(args)
    settings = settings_of(args)
    args.model = choose(args.model, settings.data_dir).model
    from server.jobs.kinds.practise import PracticeReport

    refuse_unknown_rendering(args)
    asked = _asked(args)
    with open_memory(args, create=True) as memory:
        job = memory.jobs.create(asked, MOST_OPEN)
        if args.detach:
            return say_detached(job)
        report = PracticeReport.model_validate(done_here(memory, settings, job))
    if args.json != "-":
        _print(report)
    write_json(report.model_dump(mode="json"), args.json)
    return 0


def _refuse_what_does_not_go_together(args: argparse.Namespace) -> None:
    is_written = args.self_play or args.synthetic
    if args.synthetic and args.family:
        raise UsageError("--synthetic writes after records: --family goes with --self-play")
    if is_written and args.tests:
        raise UsageError("--tests brings its own tasks: it goes with neither way of writing them")
    if not (is_written or args.family or args.tests):
        raise UsageError("nothing to practise: add --family NAME, --self-play or --synthetic")
    if len(args.family) > MOST_FAMILIES:
        raise UsageError(f"practise {MOST_FAMILIES} families at a time, not {len(args.family)}")
    for name in set(args.family) - OWN:
        check_suite(name)
    if args.tests and not Path(args.tests).exists():
        raise CommandError(f"{args.tests} cannot be read: there is no such file")


def _asked(args: argparse.Namespace) -> NewJob:
    from memory.offline.job import JobKind, NewJob
    from server.jobs.kinds.practise import PractiseRequest

    request = PractiseRequest(
        model=whole_path(args.model),
        base=base_model(args.model),
        template=template_of(args),
        mode="self-play" if args.self_play else "synthetic" if args.synthetic else "environment",
        families=tuple(args.family),
        tasks=_tasks(args.tests) if args.tests else (),
        exercises=args.exercises,
        max_new_tokens=args.max_tokens,
    )
    asked = request.model_dump(mode="json")
    return NewJob(tenant=args.tenant, kind=JobKind.PRACTISE, request=asked)


def _tasks(name: str) -> tuple[Any, ...]:
    """Read tasks of code; raises `CommandError`, which names the line."""
    from pydantic import ValidationError

    from adaptation.learning.practice.code import CodeTask

    try:
        lines = Path(name).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found += [CodeTask.model_validate(json.loads(line))] if line.strip() else []
        except (ValueError, ValidationError, RecursionError) as error:
            told = 'is no {"question": ..., "tests": ...}'
            raise CommandError(f"{name}, line {number} {told}") from error
    if not 0 < len(found) <= MOST_TASKS:
        raise CommandError(f"{name} has {len(found)} tasks: practise 1 to {MOST_TASKS} at a time")
    return tuple(found)


def _print(report: PracticeReport) -> None:
    columns = ("family", "tried", "kept", "too easy", "unsolved", "known", "refused", "right",
               "level")  # fmt: skip
    rows = []
    for tally in report.families:
        rates = tally.pass_rates
        right = f"{sum(rates) / len(rates):.0%}" if rates else ""
        levels = f"{tally.levels[0]} → {tally.levels[-1]}" if tally.levels else ""
        counts = (tally.posed, tally.kept, tally.too_easy, tally.unsolved)
        rows.append((tally.family, *counts, tally.known, tally.refused, right, levels))
    print_table(columns, rows)
    print(f"{report.kept} became records")
