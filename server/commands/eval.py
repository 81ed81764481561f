"""`whet eval`: suites put to a server under several arms, with what came of it and what it cost."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from server.commands.common import Subparsers, command_parser, settings_of
from server.config import add_arguments
from server.console import CommandError, UsageError

if TYPE_CHECKING:
    from adaptation.evaluation.results import Results
    from adaptation.suites import Suite
    from server.commands.eval_run import Choice

EXAMPLES = """\
  whet eval                                      the built-in model on every suite, in small
  whet eval --suite jargon facts --strategy consistency demos-16 ttt -n 300
  whet eval --suite rg:chain_sum --url http://127.0.0.1:8000 --strategy one vote
  whet eval --list                               suites and arms, and what they are
  whet eval --compare before.jsonl after.jsonl   differences with their intervals

Arms that learn read a memory of --examples solved questions for each world. The same command goes
on where an interrupted run stopped.
"""
DEFAULT_QUESTIONS = 48


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet eval`."""
    summary = "run task suites and print a table with confidence intervals"
    parser = command_parser(subparsers, "eval", summary, EXAMPLES)
    _add_what(parser)
    _add_where(parser)
    _add_output(parser)
    parser.set_defaults(run=run)


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is asked")
    what.add_argument(
        "--suite",
        dest="suites",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="suites, rg:FAMILY of reasoning-gym, or a group: in-distribution, shifted, guard "
        "(default: all built-in suites)",
    )
    what.add_argument(
        "--strategy",
        "--arm",
        dest="arms",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="arms, or all (default: one vote consistency demos-8 ttt; on another server than "
        "Whet those it can do)",
    )
    what.add_argument(
        "-n",
        "--n",
        dest="questions",
        type=_positive,
        default=DEFAULT_QUESTIONS,
        help=f"questions of every suite (default: {DEFAULT_QUESTIONS})",
    )
    what.add_argument(
        "--difficulty", type=_positive, metavar="LEVEL", help="of every suite (default: its own)"
    )
    what.add_argument("--seed", type=int, default=0, help="of questions and samples (default: 0)")
    what.add_argument(
        "--examples", type=_positive, default=64, help="solved, for each world (default: 64)"
    )
    what.add_argument("--votes", type=_votes, default=16, help="most samples (default: 16)")
    what.add_argument(
        "--temperature", type=float, default=1.0, help="of every sampling arm (default: 1)"
    )
    what.add_argument(
        "--max-tokens", type=_positive, default=512, help="of one sample (default: 512)"
    )
    what.add_argument(
        "--development",
        action="store_true",
        help="ask the development questions: for tuning, so that evaluation stays unseen",
    )


def _add_where(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument_group("whom is asked")
    where.add_argument(
        "--url", help="a running OpenAI-compatible server (default: start Whet, on a new memory)"
    )
    where.add_argument("--model", help="of --url: one it lists; else: the model to serve")
    where.add_argument("--api-key", default="none", help="of --url")
    where.add_argument(
        "--adapter", metavar="ID", help="serve this distilled version of --data-dir's registry"
    )
    where.add_argument(
        "--parallel", type=_positive, default=4, help="requests at once (default: 4)"
    )
    where.add_argument(
        "--timeout", type=float, default=600.0, help="of one request, in seconds (default: 600)"
    )
    add_arguments(parser, only={"data_dir", "embedder"})
    where.add_argument("--config", type=Path, metavar="FILE", help="read settings from this TOML")


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("what comes of it")
    output.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="where every answer is kept (default: a file of this choice's own in the data folder)",
    )
    output.add_argument("--fresh", action="store_true", help="start over, keep nothing measured")
    output.add_argument(
        "--json", metavar="FILE", nargs="?", const="-", help="write figures; no FILE: to stdout"
    )
    output.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    output.add_argument("--picture", type=Path, metavar="FILE", help="draw it: .svg or .png")
    output.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A", "B"), help="two results files, no run"
    )
    output.add_argument("--list", action="store_true", help="list suites and arms")


def run(args: argparse.Namespace) -> int:
    """Evaluate, compare or list; a poor score is a result too, with status 0."""
    from adaptation.evaluation.errors import EvaluationError
    from adaptation.suites.errors import SuiteError
    from server.server_process import ServerFailedError

    try:
        if args.list:
            return _list()
        if args.compare:
            return _compare(args)
        return _evaluate(args)
    except (EvaluationError, SuiteError, ServerFailedError) as error:
        raise CommandError(str(error)) from error


def _evaluate(args: argparse.Namespace) -> int:
    from adaptation.evaluation.target import Target
    from server.commands import eval_run

    choice = _choice(args)
    _check_output(args)
    settings = settings_of(args)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="whet-eval-")))
        url = args.url or stack.enter_context(
            eval_run.own_server(args.model, args.adapter, settings, folder)
        )
        target = Target(url, args.model if args.url else None, args.api_key, args.timeout)
        results = asyncio.run(eval_run.evaluate(choice, target, settings, folder, args))
    _show(results, args)
    return 0


def _choice(args: argparse.Namespace) -> Choice:
    """Suites and arms by their names; raises `UsageError` with the known ones."""
    from adaptation.evaluation.arms import ARMS
    from adaptation.suites.errors import UnknownSuiteError
    from server.commands.eval_run import Choice

    try:
        suites = tuple(_suites(args.suites))
    except UnknownSuiteError as error:
        raise UsageError(str(error)) from error
    arms = list(dict.fromkeys(args.arms or ()))
    arms = [arm for arm in ARMS if arm != "plain"] if arms == ["all"] else arms
    if unknown := [arm for arm in arms if arm not in ARMS]:
        raise UsageError(f"no arm {unknown[0]!r}: choose of {', '.join(ARMS)}, or all")
    return Choice(suites, tuple(arms), _levels(suites, args.difficulty))


def _suites(names: Sequence[str] | None) -> Sequence[Suite]:
    from adaptation.suites import SUITES, suite_named

    if not names:
        return list(SUITES.values())
    groups = {suite.group.replace(" ", "-") for suite in SUITES.values()}
    chosen: dict[str, Suite] = {}
    for name in names:
        members = [s for s in SUITES.values() if s.group.replace(" ", "-") == name]
        for suite in members if name in groups else [suite_named(name)]:
            chosen.setdefault(suite.name, suite)
    return list(chosen.values())


def _levels(suites: Sequence[Suite], wanted: int | None) -> dict[str, int]:
    levels = {}
    for suite in suites:
        level = suite.default_level if wanted is None else wanted
        if level not in suite.levels:
            known = f"{suite.levels[0]} to {suite.levels[-1]}"
            raise UsageError(f"suite {suite.name} has difficulties {known}, not {level}")
        levels[suite.name] = level
    return levels


def _check_output(args: argparse.Namespace) -> None:
    """Find out before the work, not after it, that something cannot be written."""
    for path in (args.picture, None if args.json in (None, "-") else Path(args.json)):
        if path is not None and not path.absolute().parent.is_dir():
            raise CommandError(f"{path} cannot be written: its folder does not exist")
    if args.picture and args.picture.suffix not in (".svg", ".png"):
        raise UsageError("--picture takes a name that ends in .svg or .png")


def _show(results: Results, args: argparse.Namespace) -> None:
    from adaptation.evaluation.picture import draw
    from adaptation.evaluation.summary import summarise
    from server.commands.eval_report import markdown, print_summary

    summary = summarise(results)
    if args.markdown:
        print(markdown(summary))
    elif args.json != "-":
        print_summary(summary)
    _write_json(summary.as_json(), args.json)
    if args.picture:
        draw(summary, args.picture)


def _compare(args: argparse.Namespace) -> int:
    from adaptation.evaluation.compare import compare
    from adaptation.evaluation.results import load
    from server.commands.eval_report import print_comparison

    first, second = args.compare
    comparison = compare(load(first), load(second))
    if args.json != "-":
        print_comparison(comparison, first.name, second.name)
    _write_json(comparison.as_json(), args.json)
    return 0


def _list() -> int:
    from adaptation.evaluation.arms import ARMS
    from adaptation.suites import SUITES
    from server.console import print_table

    rows = [
        (s.name, s.group, f"{s.levels[0]}–{s.levels[-1]}, {s.default_level} by default")
        for s in SUITES.values()
    ]
    print_table(("suite", "group", "difficulty"), rows)
    print("rg:FAMILY           any family of reasoning-gym\n")
    print_table(("arm", "needs"), [(name, _needs(name)) for name in ARMS])
    return 0


def _needs(name: str) -> str:
    from adaptation.evaluation.arms import ARMS

    arm = ARMS[name]
    words = ("Whet" if arm.needs_whet else "", "examples" if arm.needs_examples else "")
    return " and ".join(filter(None, words)) or "any server"


def _write_json(fields: dict[str, object], name: str | None) -> None:
    if name is None:
        return
    text = json.dumps(fields, indent=2, ensure_ascii=False)
    if name == "-":
        print(text)
        return
    try:
        Path(name).write_text(text + "\n", "utf-8")
    except OSError as error:
        raise CommandError(f"{name} cannot be written: {error.strerror}") from error


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def _votes(text: str) -> int:
    if not text.isdigit() or not 2 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("must be a number from 2 to 64")
    return int(text)
