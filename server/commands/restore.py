"""`whet restore FILE`: the data folder as it was when a backup was taken."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from server.commands.common import Subparsers, add_folder_arguments, command_parser, settings_of
from server.terminal import phases, plain, print_json

if TYPE_CHECKING:
    from server.backup.restoring import Restored

EXAMPLES = """\
  whet restore whet.tar.gz                       into the data folder, which is not there or empty
  whet restore whet.tar.gz --data-dir ./data
  whet restore whet.tar.gz --force               what is there is moved aside, not deleted

Stop the server first. All of the backup is checked before anything is put in place, and a database
of an older Whet is migrated. The index is built anew from the database. With --database-url, the
tables go to PostgreSQL, from a backup of either; what --force replaces there is kept as a file.
With --artifacts, adapters are shared again.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet restore`."""
    summary = "put the data folder of a backup in place"
    parser = command_parser(subparsers, "restore", summary, EXAMPLES)
    add_folder_arguments(parser)
    parser.add_argument(
        "--force", action="store_true", help="move aside what the data folder holds"
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="what `whet backup` wrote")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Restore, and say what was restored and where the old folder is."""
    from server.backup.place import Place
    from server.backup.restoring import restore
    from server.server_process import ended_in_order

    with ended_in_order(), phases() as advance:
        restored = restore(args.file, Place.of(settings_of(args)), args.force, advance)
    if args.json:
        print_json(_fields(restored))
    else:
        _say(restored)
    return 0


def _fields(restored: Restored) -> dict[str, object]:
    return restored.manifest.model_dump(mode="json") | {
        "folder": str(restored.folder),
        "migrated_from": restored.migrated_from,
        "moved_aside": None if restored.moved_aside is None else str(restored.moved_aside),
    }


def _say(restored: Restored) -> None:
    manifest = restored.manifest
    made = f"{manifest.created_at:%Y-%m-%d %H:%M} UTC, by Whet {plain(manifest.whet)}"
    print(f"restored {manifest.held} to {restored.folder}, as backed up {made}")
    if restored.migrated_from:
        print(f"its database was migrated from schema {restored.migrated_from}")
    if manifest.left_out:
        print(f"not in the backup are the adapters {plain(', '.join(manifest.left_out))}")
    if restored.moved_aside:
        print(f"what was there before is now {restored.moved_aside}")
