"""`whet chat`: a conversation with a running server, typed or from a pipe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import suppress

from server.asking.target import add_target_arguments, target
from server.commands.common import Subparsers, command_parser

EXAMPLES = """\
  whet chat
  whet chat --strategy auto --teach solved.jsonl
  printf 'Hello\\n/strategy plain\\nWhat is 2 + 2?\\n' | whet chat
"""
PROMPT = "› "


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet chat`."""
    from server.asking.conversation import HELP

    summary = "talk to a running server; each answer with its votes and its cost"
    parser = command_parser(subparsers, "chat", summary, f"{EXAMPLES}\nwithin it:\n{HELP}")
    add_target_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Talk until the end of the input or `/quit`; 1 where something failed that nobody saw."""
    from server.asking.conversation import Conversation

    with target(args) as client:
        conversation = Conversation(client, args)
        for line in _lines():
            conversation.hear(line)
            if conversation.is_over:
                break
    return int(conversation.failed and not sys.stdin.isatty())


def _lines() -> Iterator[str]:
    """Yield what is typed, with line editing, or what comes down a pipe."""
    if not sys.stdin.isatty():
        yield from iter(sys.stdin.readline, "")  # of the file itself, `yield from` closes it
        return
    print("/help says what else there is; Ctrl-D ends.", file=sys.stderr)
    with suppress(ImportError):  # a Python without it: lines are typed as they are
        import readline  # noqa: F401 - gives `input` its line editing
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            yield input(PROMPT)
    print(file=sys.stderr)
