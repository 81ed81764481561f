"""What several commands share: their common flags, and the memory they open."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from server.config import DEFAULT_TENANT, TENANT_NAME, Settings
from server.settings.flags import DEST_PREFIX, add_arguments, flags_of
from server.settings.setting_sources import resolve
from server.startup.early import check_is_folder
from server.terminal import CommandError, UsageError

if TYPE_CHECKING:
    from memory.memory import LongTermMemory

Subparsers = Any
"""argparse's action that holds sub-commands; it has no public name."""


def command_parser(
    subparsers: Subparsers, name: str, summary: str, examples: str
) -> argparse.ArgumentParser:
    """Add a command or sub-command whose --help ends with examples."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def add_memory_arguments(
    parser: argparse.ArgumentParser, json: bool = True, settings: Collection[str] = ()
) -> None:
    """Add the flags that say which memory, whose part of it, and for whom to print."""
    add_tenant_argument(parser, "whose memory")
    add_folder_arguments(parser, json, {"embedder", *settings})


def add_tenant_argument(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the flag that names a tenant."""
    parser.add_argument(
        "--tenant", type=tenant_name, default=DEFAULT_TENANT, help=f"{what} (default: default)"
    )


def add_folder_arguments(
    parser: argparse.ArgumentParser, json: bool = True, settings: Collection[str] = ()
) -> None:
    """Add the flags that say which data folder, and for whom to print, and of further settings."""
    add_arguments(parser, only={"data_dir", "database_url", "artifacts", *settings})
    parser.add_argument("--config", type=Path, metavar="FILE", help="read settings from this TOML")
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_origin_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where imported lines are from."""
    parser.add_argument(
        "--licence", metavar="SPDX", type=_licence, help="under which the lines may be used"
    )
    parser.add_argument(
        "--provenance", metavar="TEXT", help="who made them and where they were found"
    )


def _licence(text: str) -> str:
    from memory.lines.origin import SPDX

    if not re.match(SPDX, text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no SPDX expression, such as CC-BY-4.0; one of your own is LicenseRef-NAME"
        )
    return text


def tenant_name(text: str) -> str:
    """Check a tenant's name; for argparse."""
    if not TENANT_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a tenant's name: letters, digits, `.`, `_` and `-`, at most 64"
        )
    return text


def number_between(low: int, high: int) -> Callable[[str], int]:
    """Return a check for argparse: a whole number within bounds."""

    def check(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"must be a number from {low} to {high}")
        return int(text)

    return check


def file_to_write(text: str) -> str:
    """Check for argparse, before the work and not after it, that a file can be written.

    `-` is standard output.
    """
    path = Path(text)
    if text != "-" and not (text and path.absolute().parent.is_dir()):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: there is no such folder")
    if path.is_dir() or not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: give another file")
    return text


def add_json_file(parser: argparse._ActionsContainer, what: str) -> None:
    """Add the flag that writes `what` as JSON, to a file or to standard output."""
    parser.add_argument(
        "--json",
        type=file_to_write,
        metavar="FILE",
        nargs="?",
        const="-",
        help=f"write {what}; no FILE: to stdout",
    )


def check_suite(name: str) -> None:
    """Raise `UsageError` for a suite that there is not; one of reasoning-gym is not looked for."""
    from adaptation.evaluation.suites import SuiteError, suite_named
    from adaptation.evaluation.suites.reasoning_gym import PREFIX

    if not name.startswith(PREFIX):
        try:
            suite_named(name)
        except SuiteError as error:
            raise UsageError(str(error)) from error


def settings_of(args: argparse.Namespace) -> Settings:
    """Return the settings in force for a command; a data folder that is a file is refused."""
    settings = resolve(flags_of(args), os.environ, args.config).settings
    check_is_folder(settings.data_dir)
    return settings


@contextmanager
def open_memory(args: argparse.Namespace, *, create: bool = False) -> Iterator[LongTermMemory]:
    """Open the memory that the flags name, and close it afterwards.

    Where there is none yet, what only looks sees an empty one, and makes nothing in that place; a
    folder that a flag names has to be there. A database with a URL is made ready to be used.
    """
    from memory.errors import NotFoundError
    from memory.store.sqlite import FILE_NAME
    from server.memory_opening import memory_of

    settings = settings_of(args)
    with ExitStack() as stack:
        folder = settings.data_dir
        if not create and "data_dir" in flags_of(args) and _is_absent(folder):
            raise CommandError(f"no folder {folder}: `whet serve` or `whet memory import` makes it")
        if settings.database_url is None and not create and _is_absent(folder / FILE_NAME):
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="whet-empty-")))
        memory = memory_of(settings, folder=folder)
        stack.callback(memory.close)
        try:
            yield memory
        except NotFoundError as error:
            shown_by = getattr(args, "shown_by", "whet memory list")
            whose = f"of tenant {args.tenant} " if getattr(args, "tenant", None) else ""
            where = f"{whose}in {settings.database_url or settings.data_dir}"
            raise CommandError(f"{error} {where}: `{shown_by}` shows what there is") from error


def open_tables(
    args: argparse.Namespace, *, create: bool = False
) -> AbstractContextManager[LongTermMemory]:
    """Open the memory for what is in its tables: nothing is embedded, so no embedder is chosen."""
    tables = argparse.Namespace(**{**vars(args), f"{DEST_PREFIX}embedder": "hashing"})
    return open_memory(tables, create=create)


def _is_absent(path: Path) -> bool:
    """Whether nothing is at a path; one that cannot be looked at may hold something."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
