"""vLLM's parser as plain data: `python -m server.engine.described --help` prints it as JSON.

vLLM keeps the texts of its flags only where it finds `--help` on the command line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from server.engine import launch
from server.vllm_flags.description import PAIR, SWITCH, Flag, Group, as_json

LONGEST_DEFAULT = 80
"""Characters of a default that is shown; whole configurations are longer."""
NONE = "None"


def described(parser: argparse.ArgumentParser) -> tuple[Group, ...]:
    """Return all that `parser` takes but its own `--help`."""
    return tuple(
        Group(group.title or "", _first_paragraph(group.description), flags)
        for group in parser._action_groups
        if (flags := tuple(_flag(a) for a in group._group_actions if a.dest != "help"))
    )


def _flag(action: argparse.Action) -> Flag:
    default = "" if action.default == argparse.SUPPRESS else str(action.default)
    return Flag(
        names=tuple(action.option_strings),
        dest=action.dest,
        kind=_kind(action),
        nargs=action.nargs if isinstance(action.nargs, str) else None,
        choices=tuple(map(str, action.choices or ())) if _compares(action.type) else (),
        metavar=_metavar(action),
        help=(action.help or "").replace("%(default)s", default).replace("%%", "%").strip(),
        default=default if len(default) <= LONGEST_DEFAULT else "",
    )


def _kind(action: argparse.Action) -> str:
    """Tell what values are read as by what is read: vLLM's types are functions without names."""
    if isinstance(action, argparse.BooleanOptionalAction):
        return PAIR
    if action.nargs == 0:
        return SWITCH
    if any(_takes(action.type, text) for text in ("a b", "{}", "1k")):
        return ""
    kinds = [kind for kind, text in (("int", "1"), ("float", "1.5")) if _takes(action.type, text)]
    return f"{kinds[-1]}{'?' * _takes(action.type, NONE)}" if kinds else ""


def _takes(read: Any, text: str) -> bool:
    try:
        return read is None or (read(text), True)[1]
    except (TypeError, ValueError, argparse.ArgumentTypeError):
        return False


def _compares(read: Callable[[str], Any] | Any) -> bool:
    """Whether a choice is compared as it is written: some types change it first."""
    return not _takes(read, "A-B") or read is None or read("A-B") == "A-B"


def _metavar(action: argparse.Action) -> str | None:
    """Return what stands for the value; vLLM has lists there too."""
    shown = action.metavar
    if shown is None and action.choices and not _compares(action.type):
        shown = tuple(map(str, action.choices))
    return shown if shown is None or isinstance(shown, str) else "{" + ",".join(shown) + "}"


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").split("\n\n", 1)[0].split())


def main() -> None:
    """Print the description of the installed release."""
    sys.stdout.write(as_json(described(launch.make_parser())))


if __name__ == "__main__":
    main()
