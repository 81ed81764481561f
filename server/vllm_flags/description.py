"""What a command line may say: flags in groups, and their form as JSON.

Frozen and plain: made by `server.engine.described` of vLLM's parser, kept in a file for a release.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

SWITCH, PAIR = "switch", "pair"
"""Kinds of flags without a value; a pair has a `--no-` beside it."""


@dataclass(frozen=True)
class Flag:
    """One flag, or the positional argument where it has no names."""

    names: tuple[str, ...]
    dest: str
    kind: str = ""
    """`switch`, `pair`; `int` or `float`, with a `?` where `None` is a value too; else any text."""
    nargs: str | None = None
    choices: tuple[str, ...] = ()
    """Values that are compared as they are written."""
    metavar: str | None = None
    help: str = ""
    default: str = ""
    """As it is shown; "" is none to be shown."""


@dataclass(frozen=True)
class Group:
    """Flags under one title."""

    title: str
    summary: str
    flags: tuple[Flag, ...]


def as_json(groups: tuple[Group, ...]) -> str:
    """Return a document with a flag in each line; what a flag does not have is left out."""
    return "[\n" + ",\n".join(map(_group_json, groups)) + "\n]\n"


def of_json(text: str) -> tuple[Group, ...]:
    """Read what `as_json` wrote; raises ValueError, KeyError or TypeError on anything else."""
    return tuple(
        Group(group["title"], group["summary"], tuple(map(_flag, group["flags"])))
        for group in json.loads(text)
    )


def _group_json(group: Group) -> str:
    head = f'{{"title": {json.dumps(group.title)}, "summary": {json.dumps(group.summary)}'
    return head + ', "flags": [\n' + ",\n".join(map(_flag_json, group.flags)) + "\n]}"


def _flag_json(flag: Flag) -> str:
    usual = {field.name: field.default for field in fields(Flag)}
    return json.dumps({key: value for key, value in asdict(flag).items() if value != usual[key]})


def _flag(found: dict[str, Any]) -> Flag:
    given: dict[str, Any] = dict(found)
    for key in ("names", "choices"):
        given[key] = tuple(given.get(key, ()))
    return Flag(**given)
