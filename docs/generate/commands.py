"""Every command with its arguments, from the parsers that read them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from docs.generate.markdown import table
from server import cli
from server.settings.flags import DEST_PREFIX

VLLMS = "serve"
"""The command whose flags are vLLM's, and every setting."""


def write() -> str:
    """Return all commands, then a section for each, and one below it for each of its own."""
    names = [name for name in cli.COMMANDS if name != VLLMS]
    told = table(("command", "does"), ((f"`whet {n}`", does) for n, does in cli.COMMANDS.items()))
    sections = (part for name in names for part in _sections(_parser(name), ("whet", name)))
    return "\n".join((told, *sections))


def _parser(name: str) -> argparse.ArgumentParser:
    return _choices(cli._parser(name))[name]


def _sections(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[str]:
    inner = _choices(parser)
    yield f"{'#' * len(words)} {' '.join(words)}\n"
    yield f"{parser.description}\n"
    if not inner:
        operands = _operands(parser)
        if operands:
            yield f"`{' '.join((*words, *operands))}`\n"
        yield _flags(parser)
    for name, each in inner.items():
        yield from _sections(each, (*words, name))


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _operands(parser: argparse.ArgumentParser) -> list[str]:
    shapes = {None: "{}", "?": "[{}]", "+": "{} …", "*": "[{} …]"}
    return [
        shapes[action.nargs].format(action.metavar or action.dest)  # type: ignore[index]
        for action in parser._actions
        if not action.option_strings
    ]


def _flags(parser: argparse.ArgumentParser) -> str:
    own = [action for action in parser._actions if _is_own(action)]
    taken = [f"`{action.option_strings[0]}`" for action in parser._actions if _is_setting(action)]
    told = table(("argument", "meaning"), ((_spelt(each), _help(each)) for each in own))
    settings = f"\nOf the [settings](settings.md) it takes {', '.join(taken)}.\n" if taken else ""
    return (told if own else "") + settings


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")  # as argparse shows it


def _is_own(action: argparse.Action) -> bool:
    if isinstance(action, argparse._HelpAction) or _is_setting(action):
        return False
    return bool(action.option_strings or action.help)


def _is_setting(action: argparse.Action) -> bool:
    return action.dest.startswith(DEST_PREFIX)


def _spelt(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    *others, last = action.option_strings
    spelt = [f"`{name}`" for name in others]
    return ", ".join([*spelt, f"`{last}{_value(action)}`"]) + _choice(action)


def _value(action: argparse.Action) -> str:
    if action.nargs == 0 or action.choices is not None:
        return ""
    metavar = action.metavar or action.dest.upper()
    words = " ".join(metavar) if isinstance(metavar, tuple) else metavar
    return {"?": f" [{words}]", "+": f" {words} …"}.get(str(action.nargs), f" {words}")


def _choice(action: argparse.Action) -> str:
    words = action.choices if action.choices is not None else ()
    return f" {', '.join(f'`{word}`' for word in words)}" if words else ""
