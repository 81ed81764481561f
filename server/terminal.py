"""What commands say: results on stdout, everything else in one line on stderr.

Record contents come from clients, so control characters are taken out before a terminal sees them.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.tree import Tree

from server.dotted import dotted
from server.settings.hiding import hidden
from server.table_layout import laid_out

WIDTH_WITHOUT_TERMINAL = 200
"""Columns where output goes to a file or a pipe, which have no width of their own."""
MOST_JSON = 200
"""Characters of a list that a person is shown as JSON."""
WIDEST = 10_000
"""Columns of what may not be cut off."""

Advance = Callable[[int, int | None], None]
"""Told how much is done, and of how much where that is known."""
AdvancePhase = Callable[[str, int, int | None], None]
"""Told the name of a phase, how much of it is done, and of how much where that is known."""


class CommandError(Exception):
    """A command cannot do what it was asked; the message is one line that says what to do."""


class UsageError(CommandError):
    """The command line contradicts itself, in a way its parser cannot see."""


class OneLineParser(argparse.ArgumentParser):
    """Takes flags by their whole names, and reports a usage error in one line.

    argparse would guess what the beginning of a name stands for, and print the usage as well.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; whatever is unknown is an error of this parser, which knows its own flags."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(unrecognized(unknown, self._option_string_actions))
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, no_choice(value, list(map(str, action.choices))))

    def error(self, message: str) -> NoReturn:
        """End the process with status 2."""
        self.exit(2, f"{self.prog}: {hidden(message)} (see `{self.prog} --help`)\n")


def unrecognized(words: Sequence[str], flags: Collection[str]) -> str:
    """Say which words a parser did not take, and the flag that was perhaps meant."""
    names = [word.partition("=")[0] for word in words if word.startswith("-")]
    told = f"unrecognized arguments: {' '.join(names or words)}"  # a value may be a secret
    given = next((name for name in names if name.startswith("--")), None)
    near = near_flag(given, flags) if given else None
    return f"{told}; did you mean {near}?" if near else told


def near_flag(given: str, flags: Collection[str]) -> str | None:
    """Return the flag that `given` begins, or that it is most like, or None."""
    name = given.replace("_", "-").lower()
    begun = sorted(flag for flag in flags if flag.startswith(name))
    near = difflib.get_close_matches(name, flags, n=1, cutoff=0.75)
    return next(iter([*begun, *near]), None)


def no_choice(given: object, choices: Sequence[str]) -> str:
    """Say that a value is none of the choices, and the one that was perhaps meant, or all."""
    near = difflib.get_close_matches(str(given).lower(), choices, n=1)
    meant = f"; did you mean {near[0]}?" if near else f" (choose from {', '.join(choices)})"
    return f"invalid choice: {str(given)!r}{meant}"


def console(stderr: bool = False) -> Console:
    """Return a console that prints texts as they are, without markup."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def complain(message: object) -> None:
    """Say on stderr, in one line, what is wrong."""
    print(f"whet: {hidden(plain(str(message)))}", file=sys.stderr)


def plain(text: str, limit: int | None = None) -> str:
    """Return `text` on one line without control characters, cut to `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def print_json(value: Any) -> None:
    """Print a value for programs: one JSON document."""
    print(_as_json(value))


def print_json_line(value: Any) -> None:
    """Print a value for programs that read one after the other: one JSON document a line."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)


def write_json(value: Any, name: str | None) -> None:
    """Write a value to the file that `--json FILE` names, to stdout for `-`, nowhere for None."""
    if name == "-":
        print_json(value)
    elif name is not None:
        write_text(_as_json(value) + "\n", name)


def write_text(text: str, name: str) -> None:
    """Write a file; raises `CommandError` where that fails."""
    try:
        Path(name).write_text(text, "utf-8")
    except OSError as error:
        raise CommandError(f"{name} cannot be written: {error.strerror}") from error


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows for people; a value's control characters never reach the terminal."""
    cells = [["" if cell is None else plain(str(cell)) for cell in row] for row in rows]
    whole = console()
    whole.print(laid_out(columns, cells, whole.width), soft_wrap=True)


def print_tree(tree: Tree) -> None:
    """Print a tree: in a terminal within its branches, else however wide, for an id is one word."""
    whole = console()
    if whole.is_terminal:
        whole.print(tree)
    else:
        whole.width = WIDEST
        whole.print(tree, soft_wrap=True)


def print_fields(fields: Mapping[str, object]) -> None:
    """Print one thing's properties, one a line; what is absent is left out.

    A property of a property is called by both their names: `result.adapter`.
    """
    rows = {name: _text(value) for name, value in dotted(fields) if value is not None}
    width = max(map(len, rows), default=0)
    for name, value in rows.items():
        console().print(f"{name:<{width}}  {plain(value)}", soft_wrap=True)


def _text(value: object) -> str:
    """Return a value as a person reads it; a short list of what has parts is JSON."""
    if not isinstance(value, list | tuple):
        return str(value)
    if not any(isinstance(each, Mapping | list | tuple) for each in value):
        return ", ".join(map(str, value))
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_JSON else f"{len(value)} entries, see --json"


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """Show a bar with the time left on stderr while the block works; silent in a pipe."""
    with phases() as advance:
        advance(what, 0, None)  # before the first part is done, too
        yield lambda done, total: advance(what, done, total)


@contextmanager
def phases() -> Iterator[AdvancePhase]:
    """Show one bar for each phase the block reports, as it begins."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    stderr = console(stderr=True)
    with Progress(*columns, console=stderr, disable=not stderr.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(phase: str, done: int, total: int | None) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=total)
            bar.update(tasks[phase], completed=done, total=total)

        yield advance


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
