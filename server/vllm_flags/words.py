"""A command line as vLLM's parser changes it before it reads it.

Values are not looked into: what stands in a dotted flag (`--x.y 1`) is vLLM's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from server.config import ConfigError

CONFIG = "--config"
_DOTTED = re.compile(r"(--?[a-zA-Z][^.=]*)\.[^=]*")
"""A flag and a key of the JSON that is its value."""


def as_read(words: Sequence[str], flags: Collection[str]) -> list[str]:
    """Return the words of a YAML file in place of its name, and every flag as `flags` write it.

    Raises `ConfigError` where that file cannot be read.
    """
    return list(_plain(_with_file(words, flags)))


def dashed(word: str) -> str:
    """Return a flag as it is written here; vLLM's parser takes `_` for `-` as well."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value


def _plain(words: Sequence[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if dotted := _DOTTED.fullmatch(name):
            yield from (dashed(dotted[1]), "{}")
            if not equals:
                next(rest, None)
        elif word.startswith("--"):
            yield dashed(word)
        elif word.startswith("-O"):
            level = word[2:].removeprefix("=")
            yield from ("--optimization-level", level) if level else ("--optimization-level",)
        else:
            yield word


def _with_file(words: Sequence[str], flags: Collection[str]) -> list[str]:
    """As vLLM: what the file says comes after the model, and before all other flags."""
    if CONFIG not in words:
        return list(words)
    at = words.index(CONFIG)
    if at + 1 == len(words):
        raise ConfigError(f"{CONFIG} needs a file: whet.toml of Whet, or vLLM's YAML")
    read = list(_of_file(words[at + 1], flags))
    first = 0 if words[0].startswith("-") else 1
    return [*words[:first], *read, *words[first:at], *words[at + 2 :]]


def _of_file(name: str, flags: Collection[str]) -> Iterator[str]:
    for key, value in _table(name).items():
        flag = f"--{key}"
        if isinstance(value, bool):
            yield from [flag] if value else [no for no in (f"--no-{key}",) if no in flags]
        elif isinstance(value, list):
            yield from (flag, *map(str, value)) if value else ()
        else:
            yield from (flag, json.dumps(value) if isinstance(value, dict) else str(value))


def _table(name: str) -> dict[str, Any]:
    if not name.endswith((".yaml", ".yml")):
        raise ConfigError(f"{name}: a configuration is whet.toml of Whet, or a .yaml file of vLLM")
    import yaml  # few command lines need it

    try:
        found = yaml.safe_load(Path(name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{name}: cannot be read as YAML: {reason}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{name}: not a table of flags and their values")
    return found
