"""`whet ask`: one question to a running server."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from server.asking.target import add_target_arguments, options_of, target
from server.commands.common import Subparsers, command_parser
from server.terminal import UsageError, print_json

EXAMPLES = """\
  whet ask "What is 12 + 30?"
  whet ask "What is 3 zorp 5?" --teach solved.jsonl --strategy ttt
  whet ask "What is 12 + 30?" --json
  whet ask < question.txt
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet ask`."""
    summary = "ask a running server one question, and see how the answer comes about"
    parser = command_parser(subparsers, "ask", summary, EXAMPLES)
    parser.add_argument(
        "question", metavar="QUESTION", nargs="?", default="-", help="default: standard input"
    )
    add_target_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the answer on stdout; votes, strategy and cost go to stderr."""
    from server.asking.view import as_json, show

    question = _question(args.question)
    with (
        target(args) as client,
        closing(client.stream(question, options_of(args.strategy), model=args.model)) as events,
    ):
        answer, seconds = show(events, silent=args.json)
    if args.json:
        print_json(as_json(answer, seconds))
    return 0


def _question(given: str) -> str:
    if given == "-" and sys.stdin.isatty():
        raise UsageError('nothing was asked: whet ask "What is 12 + 30?"')
    text = sys.stdin.read() if given == "-" else given
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()
    if not whole:
        raise UsageError("the question is empty")
    return whole
