"""Help for `whet serve`: Whet's own flags in a line each, vLLM's by group, and each in full."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator

OURS = "whet"
"""The title of the group that is Whet's own."""
POSITIONAL = "positional arguments"
ALL = "all"
USAGE = "usage: whet serve [MODEL] [Whet's flags] [any flag of `vllm serve`]"
JSON_TIP = """\
A flag whose value is JSON can be given key by key; a + adds to a list:
  --json-arg '{"key1": "value1", "key2": {"key3": ["value2"]}}'
  --json-arg.key1 value1 --json-arg.key2.key3+ value2
"""
_JOINED = re.compile(r"(?<!\n)\n(?!\n)(?!\s*(-|\*|\+|\d+\.))\s*")
"""A new line within a sentence: neither a paragraph's end nor before an item of a list."""
_END = re.compile(r"[;:.](?:\s|$)| \(default: ")
"""Where the part of a flag's description ends that fits into one line."""
FIRST = 29
"""Columns of names."""


class FullFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the paragraphs and lists of vLLM's texts; flags by name."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        lines = _JOINED.sub(" ", text).splitlines()
        return [part for line in lines for part in textwrap.wrap(line, width)]

    def add_arguments(self, actions: Iterable[argparse.Action]) -> None:
        """See `argparse.HelpFormatter`."""
        super().add_arguments(sorted(actions, key=lambda action: list(action.option_strings)))


def page(parser: argparse.ArgumentParser, about: str, examples: str) -> str | None:
    """Return what `--help=ABOUT` shows: a group, all flags, or those with `about` in their names.

    "" is the overview. None where nothing is called so.
    """
    about = about.lower().replace("_", "-")
    groups = [group for group in parser._action_groups if group._group_actions]
    if not about:
        return _overview(groups, examples)
    chosen = [g for g in groups if about in (ALL, (g.title or "").lower())]
    if chosen:
        return "\n".join([*(USAGE for _ in chosen[1:2]), *map(_in_full, chosen), JSON_TIP])
    named = [
        action
        for group in groups
        for action in group._group_actions
        if any(about in name.lower() for name in action.option_strings)
    ]
    return "\n".join([_section(f"flags with {about!r}", None, named), JSON_TIP]) if named else None


def _overview(groups: Iterable[argparse._ArgumentGroup], examples: str) -> str:
    """Return a screen or two of help: nobody reads 300 flags in full."""
    ours = next(group for group in groups if group.title == OURS)
    theirs = [group for group in groups if group is not ours and group.title != POSITIONAL]
    return "\n".join(
        [
            USAGE,
            "",
            f"Whet's flags (in full: --help={OURS}):",
            *_rows(_flags(ours)),
            "",
            "vLLM's flags, by group (in full: --help=GROUP; by a part of the name: --help=port):",
            *_rows(
                (f"{group.title} ({len(group._group_actions)})", group.description or "")
                for group in theirs
            ),
            "",
            examples,
        ]
    )


def _flags(group: argparse._ArgumentGroup) -> Iterator[tuple[str, str]]:
    for action in group._group_actions:
        name = action.option_strings[0]
        whole = f"{name} {action.metavar}" if action.nargs != 0 else name
        told = (action.help or "").replace("%%", "%")
        yield whole if len(whole) <= FIRST else name, _END.split(told, maxsplit=1)[0]


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Two columns; what is too long for the second is cut."""
    room = max(20, shutil.get_terminal_size().columns - FIRST - 4)
    for name, text in rows:
        yield f"  {name:<{FIRST}}  {textwrap.shorten(text, room, placeholder='…')}".rstrip()


def _in_full(group: argparse._ArgumentGroup) -> str:
    return _section(group.title, group.description, group._group_actions)


def _section(title: str | None, text: str | None, actions: Iterable[argparse.Action]) -> str:
    formatter = FullFormatter("whet serve")
    formatter.start_section(title)
    formatter.add_text(text)
    formatter.add_arguments(actions)
    formatter.end_section()
    return formatter.format_help()
