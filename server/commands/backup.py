"""`whet backup FILE`: the data folder in one archive, while a server works on it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from server.commands.common import Subparsers, add_folder_arguments, command_parser, settings_of
from server.terminal import UsageError, complain, phases, print_json

if TYPE_CHECKING:
    from server.backup.taking import Taken

MB = 1_000_000
EXAMPLES = """\
  whet backup whet.tar.gz                        everything of all tenants, beside a running server
  whet backup whet.tar.gz --data-dir ./data
  whet backup - | ssh elsewhere 'cat > whet.tar.gz'

In it are the database, the distilled adapters it knows, what `whet tune` and `whet eval` found.
Not in it is what can be had anew: index snapshots, kept adapters, converted models.
`whet restore` puts it back. A backup keeps what `whet memory forget` erases afterwards.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet backup`."""
    summary = "back up the data folder to one file, beside a running server"
    parser = command_parser(subparsers, "backup", summary, EXAMPLES)
    add_folder_arguments(parser)
    parser.add_argument("file", metavar="FILE", help="the archive to write; - for standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the archive and say what is in it."""
    from server.backup.place import Place
    from server.backup.taking import take, take_to_stdout
    from server.server_process import ended_in_order

    place = Place.of(settings_of(args))
    if args.file == "-" and (args.json or sys.stdout.isatty()):
        raise UsageError("the archive itself goes to standard output: name a FILE instead of -")
    with ended_in_order(), phases() as advance:
        if args.file == "-":
            taken = take_to_stdout(place, advance)
        else:
            taken = take(place, Path(args.file), advance)
    for adapter in taken.manifest.left_out:
        complain(f"adapter {adapter} is left out: its files are missing or damaged")
    _say(args, taken)
    return 0


def _say(args: argparse.Namespace, taken: Taken) -> None:
    manifest = taken.manifest
    if args.json:
        told = manifest.model_dump(mode="json")
        print_json({"file": args.file, "size": taken.size_bytes} | told)
        return
    stream = sys.stderr if args.file == "-" else sys.stdout
    print(f"backed up {manifest.held} to {args.file}: {taken.size_bytes / MB:.1f} MB", file=stream)
