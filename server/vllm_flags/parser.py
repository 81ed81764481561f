"""Reads a command line of `whet serve` by a description: what was given, and what is refused.

Takes what vLLM's own parser takes. Of values it knows numbers and choices.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from server.terminal import OneLineParser
from server.vllm_flags.description import PAIR, SWITCH, Flag, Group

NONE = "None"
NUMBERS: dict[str, tuple[Callable[[str], object], str]] = {
    "int": (int, "whole number"),
    "float": (float, "number"),
}


def parser_of(groups: Iterable[Group], shown: dict[str, object]) -> OneLineParser:
    """Return a parser of these flags, which takes the beginnings of names as vLLM's does.

    `shown` are defaults by destination that help tells in place of vLLM's.
    """
    parser = OneLineParser(prog="whet serve", add_help=False)
    parser.allow_abbrev = True
    for group in groups:
        section = parser.add_argument_group(group.title, group.summary)
        for flag in group.flags:
            _add(section, flag, str(shown.get(flag.dest, flag.default)))
    return parser


def _add(section: argparse._ArgumentGroup, flag: Flag, default: str) -> None:
    told = f"{flag.help} (default: {default})" if default else flag.help
    keywords: dict[str, Any] = {"help": told.replace("%", "%%"), "default": argparse.SUPPRESS}
    if flag.kind == SWITCH:
        keywords["action"] = "store_true"
    elif flag.kind == PAIR:
        keywords["action"] = argparse.BooleanOptionalAction
    else:
        read = _checked(flag)
        keywords |= {"nargs": flag.nargs, "metavar": flag.metavar, "type": read}
        keywords["choices"] = tuple(map(read, flag.choices)) or None
    if flag.names:
        names = [name for name in flag.names if flag.kind != PAIR or not name.startswith("--no-")]
        section.add_argument(*names, dest=flag.dest, **keywords)
    else:
        section.add_argument(flag.dest, **keywords)


def _checked(flag: Flag) -> Callable[[str], object]:
    kind = flag.kind.removesuffix("?")
    may_be_none = kind != flag.kind or NONE in flag.choices
    read, name = NUMBERS.get(kind, (str, "text"))

    def check(text: str) -> object:
        if may_be_none and text in ("", NONE):
            return NONE
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no {name}") from error

    return check
