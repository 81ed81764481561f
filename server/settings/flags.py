"""Whet's settings on a command line: a flag for each, and the table of those in force."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from server.config import Settings
from server.settings.hiding import hidden
from server.settings.setting_sources import Resolved, flag_name

DEST_PREFIX = "whet_"
"""Keeps our argparse destinations apart from vLLM's in one namespace."""

WHOLE = ("whet", "what Whet adds to the engine it serves with")
PART = ("settings", "also taken from WHET_* variables and whet.toml")
"""Title and description in --help."""


def add_arguments(
    parser: argparse.ArgumentParser, only: Collection[str] | None = None
) -> argparse._ArgumentGroup:
    """Add Whet's flags (or those of the fields in `only`) to any argparse parser.

    Returns their group. Defaults are suppressed: a flag that was not given must not hide the lower
    layers.
    """
    group = parser.add_argument_group(*(WHOLE if only is None else PART))
    for name, field in Settings.model_fields.items():
        if only is None or name in only:
            # A bare `--idle-training` says true.
            bare: dict[str, Any] = (
                {"nargs": "?", "const": "true"} if field.annotation is bool else {}
            )
            group.add_argument(
                flag_name(name),
                dest=DEST_PREFIX + name,
                default=argparse.SUPPRESS,
                metavar=_metavar(name),
                help=f"{field.description} (default: {_shown_default(name)})".replace("%", "%%"),
                **bare,
            )
    return group


def _metavar(name: str) -> str:
    """The choices of a setting, where it has any."""
    kind = Settings.model_fields[name].annotation
    if kind is bool:
        return "true|false"
    is_enum = isinstance(kind, type) and issubclass(kind, StrEnum)
    choices = [str(choice) for choice in kind] if is_enum else get_args(kind)  # type: ignore[union-attr]
    named = choices and all(isinstance(choice, str) for choice in choices)
    return "|".join(choices) if named else name.rpartition("_")[2].upper()


def flags_of(namespace: argparse.Namespace) -> dict[str, Any]:
    """Return the settings given as flags, from a namespace of `add_arguments`."""
    given = vars(namespace)
    names = (name for name in Settings.model_fields if DEST_PREFIX + name in given)
    return {name: given[DEST_PREFIX + name] for name in names}


def take_config(argv: Iterable[str]) -> tuple[Path | None, list[str]]:
    """Take `--config X.toml` (ours) off a command line and leave `--config X.yaml` (vLLM's)."""
    ours: Path | None = None
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        flag, has_value, value = word.partition("=")
        if flag != "--config":
            rest.append(word)
            continue
        value = value if has_value else next(words, "")
        if value.endswith(".toml"):
            ours = Path(value)
        else:
            rest += [flag, value] if value else [flag]
    return ours, rest


def print_config(resolved: Resolved, console: Console | None = None) -> None:
    """Print the settings in force: name, value, source."""
    settings = resolved.settings
    rows = [(name, _shown(getattr(settings, name)), by) for name, by in resolved.sources.items()]
    rows = [("setting", "value", "from"), *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:  # a table would cut long values, which are to be read again
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        (console or Console()).print(line.rstrip(), soft_wrap=True, markup=False, highlight=False)


def _shown_default(name: str) -> str:
    field = Settings.model_fields[name]
    return _shown(field.get_default(call_default_factory=True, validated_data={}))


def _shown(value: object) -> str:
    """Return a value as flags, variables and TOML take it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return hidden(",".join(map(str, value))) or "none"
    return "none" if value is None else hidden(str(value))
