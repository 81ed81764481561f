"""What several commands share: their common flags, and the memory they open."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.config import DEFAULT_TENANT, Settings, resolve
from server.flags import add_arguments, flags_of

if TYPE_CHECKING:
    from memory.memory import LongTermMemory

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
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


def add_memory_arguments(parser: argparse.ArgumentParser, json: bool = True) -> None:
    """Add the flags that say which memory, whose part of it, and for whom to print."""
    add_arguments(parser, only={"data_dir", "embedder"})
    parser.add_argument("--config", type=Path, metavar="FILE", help="read settings from this TOML")
    parser.add_argument(
        "--tenant", type=tenant_name, default=DEFAULT_TENANT, help="whose memory (default: default)"
    )
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def tenant_name(text: str) -> str:
    """Check a tenant's name; for argparse."""
    if not _TENANT.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a tenant's name")
    return text


def number_between(low: int, high: int) -> Callable[[str], int]:
    """Return a check for argparse: a whole number within bounds."""

    def check(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"must be a number from {low} to {high}")
        return int(text)

    return check


def settings_of(args: argparse.Namespace) -> Settings:
    """Return the settings in force for a command."""
    return resolve(flags_of(args), os.environ, args.config).settings


@contextmanager
def open_memory(args: argparse.Namespace) -> Iterator[LongTermMemory]:
    """Open the memory that the flags name, and close it afterwards."""
    from memory.embedder import create_embedder
    from memory.memory import LongTermMemory

    settings = settings_of(args)
    memory = LongTermMemory.open(settings.data_dir, create_embedder(settings.embedder))
    try:
        yield memory
    finally:
        memory.close()
