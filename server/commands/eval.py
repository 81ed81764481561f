"""`whet eval`: suites put to a server under several arms, with what came of it and what it cost."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from server.asking.target import server_url
from server.commands.common import (
    Subparsers,
    add_json_file,
    command_parser,
    file_to_write,
    number_between,
    tenant_name,
)
from server.commands.doing import add_detach
from server.commands.eval_actions import run
from server.settings.flags import add_arguments

EXAMPLES = """\
  whet eval                                      the built-in model on every suite, in small
  whet eval --suite jargon facts --strategy consistency demos-16 ttt -n 300
  whet eval --model smollm2 --suite stories      a real model, after `whet models get smollm2`
  whet eval --suite rg:chain_sum --url http://127.0.0.1:8000 --strategy one vote
  whet eval --suite stories --detach             a job of the server of this data folder
  whet eval --list                               suites, their difficulties, and arms
  whet eval --calibrate -n 100                   find out when one sample is enough
  whet eval --calibrate -n 200 --suite units stories --tenant acme    for one tenant, on its kind
  whet eval --compare before.jsonl after.jsonl   differences with their intervals

Arms that learn read a memory of --examples solved questions for each world. The same command goes
on where an interrupted run stopped.
"""
DEFAULT_QUESTIONS = 24
MOST_WORLDS = 100
MOST_SEED = 2**63 - 1


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet eval`."""
    summary = "run task suites and print a table with confidence intervals"
    parser = command_parser(subparsers, "eval", summary, EXAMPLES)
    what = parser.add_argument_group("what is asked")
    _add_what(what)
    _add_how(what)
    _add_where(parser)
    _add_output(parser)
    add_detach(parser)
    parser.add_argument(
        "--tenant",
        type=tenant_name,
        help="with --detach: whose job (default: default); with --calibrate: whose own bar it is, "
        "in place of the model's (default: the model's, of all tenants without their own)",
    )
    parser.set_defaults(run=run)


def _add_what(what: argparse._ArgumentGroup) -> None:
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
        "--difficulty",
        type=_positive,
        metavar="LEVEL",
        help="difficulty of every suite (default: the suite's own); the nearest, without --suite",
    )


def _add_how(what: argparse._ArgumentGroup) -> None:
    what.add_argument(
        "--seed",
        type=number_between(0, MOST_SEED),
        default=0,
        help="seed of questions and samples (default: 0)",
    )
    what.add_argument(
        "--examples",
        type=_positive,
        default=64,
        help="solved examples for each world (default: 64)",
    )
    what.add_argument(
        "--worlds",
        type=number_between(1, MOST_WORLDS),
        help="worlds of every shifted suite (default: 6)",
    )
    what.add_argument(
        "--votes",
        type=number_between(2, 64),
        default=16,
        help="most samples of a vote (default: 16)",
    )
    what.add_argument(
        "--temperature",
        type=_temperature,
        default=1.0,
        help="temperature of every arm that samples (default: 1)",
    )
    what.add_argument(
        "--max-tokens", type=_positive, default=512, help="most tokens of one sample (default: 512)"
    )
    what.add_argument(
        "--development",
        action="store_true",
        help="ask the development questions: for tuning, so that evaluation stays unseen",
    )


def _add_where(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument_group("whom is asked")
    where.add_argument(
        "--url",
        type=server_url,
        help="a running OpenAI-compatible server (default: start Whet, on a new memory)",
    )
    where.add_argument(
        "--model",
        help="with --url a model that it lists; else the model to serve: a name, "
        "a folder or a .gguf file (default: whet-pebble)",
    )
    where.add_argument("--api-key", help="API key for --url")
    where.add_argument(
        "--adapter",
        metavar="ID",
        help="serve this distilled version, or alias, of --data-dir's registry",
    )
    where.add_argument(
        "--teach",
        action="store_true",
        help="with --url: let arms that learn put examples into the server's memory for the "
        "length of the run, under a task of their own",
    )
    where.add_argument(
        "--parallel", type=_positive, default=4, help="requests at once (default: 4)"
    )
    where.add_argument(
        "--timeout",
        type=_seconds,
        default=600.0,
        help="seconds that one request may take (default: 600)",
    )
    add_arguments(parser, only={"data_dir", "database_url", "embedder"})
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
        "--mix-versions",
        action="store_true",
        help="go on with a file that other code began; both versions are noted in it",
    )
    output.add_argument(
        "--baseline", metavar="ARM", help="arm to compare with (default: consistency, or one)"
    )
    add_json_file(output, "figures")
    output.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    output.add_argument("--picture", type=_picture, metavar="FILE", help="a picture: .svg or .png")
    output.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A", "B"), help="only compare two results files"
    )
    output.add_argument(
        "--write-examples",
        type=file_to_write,
        metavar="FILE",
        help="only write the solved examples, as `whet memory import` reads them",
    )
    output.add_argument(
        "--calibrate",
        type=_share,
        metavar="SHARE",
        nargs="?",
        const=0.95,
        help="find the confidence above which one sample agrees with its vote so often (default: "
        "0.95), on development questions, and let servers on --data-dir do without that vote",
    )
    output.add_argument("--list", action="store_true", help="list suites and arms")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def _picture(text: str) -> Path:
    path = Path(file_to_write(text))
    if path.suffix.lower() not in (".svg", ".png"):
        raise argparse.ArgumentTypeError("takes a name that ends in .svg or .png")
    return path


def _temperature(text: str) -> float:
    return _between(text, 0.0, 2.0)


def _share(text: str) -> float:
    return _between(text, 0.5, 0.999)


def _seconds(text: str) -> float:
    return _between(text, 0.1, 86_400.0)


def _between(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"must be a number from {low:g} to {high:g}")
    return value
