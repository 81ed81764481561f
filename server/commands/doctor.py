"""`whet doctor`: checks the installation and says what to do about problems."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from server.commands.common import Subparsers, add_memory_arguments, command_parser, settings_of
from server.terminal import print_json, print_table

EXAMPLES = """\
  whet doctor                what works here, and what to do about the rest
  whet doctor --deep         also import the engine (takes ten seconds)
  whet doctor --json         for programs; the status is 1 when anything fails
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet doctor`."""
    summary = "check this installation and say what to do about problems"
    parser = command_parser(subparsers, "doctor", summary, EXAMPLES)
    add_memory_arguments(parser)
    parser.add_argument("--deep", action="store_true", help="also import the engine")
    parser.add_argument("--port", type=_port, default=8000, help="port to look at (default: 8000)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every check; the status is 1 when one failed."""
    from server.checks import Subject
    from server.doctor import examine

    checks = examine(Subject(settings_of(args), port=args.port, deep=args.deep))
    failed = any(check.status == "fail" for check in checks)
    if args.json:
        print_json({"ok": not failed, "checks": [asdict(check) for check in checks]})
    else:
        rows = [(c.status, c.name, c.found, c.remedy) for c in checks]
        print_table(("", "what", "found", "what to do"), rows)
    return int(failed)


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("must be a port from 1 to 65535")
    return int(text)
