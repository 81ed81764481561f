"""Where the settings come from: four places, and for each value which of them it was.

Flags win over `WHET_*` variables, those over `whet.toml`, that over the defaults. An unknown key is
an error wherever it stands: a misspelt setting that is silently ignored is found too late.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import ValidationError

from server.config import ConfigError, Settings
from server.refusals.wording import of_pydantic
from server.settings.hiding import hidden
from whet import KEY_VARIABLES

CONFIG_FILE = "whet.toml"
ENV_PREFIX = "WHET_"
ENV_CONFIG = "WHET_CONFIG"
SECRETS = frozenset({"database_url", "engine_key"})
NO_SETTINGS = frozenset({ENV_CONFIG, *KEY_VARIABLES})
"""Variables that begin like settings: the file's name, and the key of those who ask a server."""


@dataclass(frozen=True)
class Resolved:
    """The settings in force, and for each where its value came from."""

    settings: Settings
    sources: Mapping[str, str]


def resolve(
    flags: Mapping[str, Any], env: Mapping[str, str], toml_path: Path | None = None
) -> Resolved:
    """Merge the four places; raise `ConfigError` on the first unknown or impossible value.

    `flags` holds only what was given on the command line, keyed by field name.
    """
    values: dict[str, Any] = {}
    sources = dict.fromkeys(Settings.model_fields, "default")
    for layer in (_from_file(toml_path, env), _from_environment(env), _from_flags(flags)):
        for name, (value, source) in layer.items():
            values[name], sources[name] = value, source
    try:
        return Resolved(Settings.model_validate(values), sources)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        is_secret = name in SECRETS
        given = name if is_secret else f"{name} = {hidden(repr(first['input']))}"
        told = f"{given}: {of_pydantic(first)}"
        raise ConfigError(f"{sources[name]}: {told}") from error


def _from_file(toml_path: Path | None, env: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    path = toml_path or (Path(env[ENV_CONFIG]) if env.get(ENV_CONFIG) else None)
    path = path.expanduser() if path else _default_file()
    if path is None:
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read as TOML: {reason}") from error
    for name in table:
        _known(name, str(path), Settings.model_fields)
    if isinstance(table.get("data_dir"), str):  # a folder named in a file is relative to the file
        table["data_dir"] = path.absolute().parent / Path(table["data_dir"]).expanduser()
    return {name: (value, str(path)) for name, value in table.items()}


def _default_file() -> Path | None:
    folders = (Path(), platformdirs.user_config_path("whet", appauthor=False))
    return next((f / CONFIG_FILE for f in folders if (f / CONFIG_FILE).is_file()), None)


def _from_environment(env: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    known = {_variable(name): name for name in Settings.model_fields} | dict.fromkeys(
        NO_SETTINGS, ""
    )
    found = [key for key in env if key.startswith(ENV_PREFIX) and key not in NO_SETTINGS]
    for key in found:
        _known(key, "environment", {*known, *NO_SETTINGS})
    return {known[key]: (env[key], key) for key in found}


def _from_flags(flags: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    for name in flags:
        _known(name, "flags", Settings.model_fields)
    return {name: (value, flag_name(name)) for name, value in flags.items()}


def _known(key: str, where: str, names: Iterable[str]) -> None:
    """Refuse `key` unless it is one of `names`, and propose the nearest."""
    names = list(names)
    if key not in names:
        near = difflib.get_close_matches(key, names, n=1, cutoff=0.7)
        hint = f"; did you mean `{near[0]}`?" if near else "; remove it (vLLM's are flags only)"
        raise ConfigError(f"{where}: unknown setting `{key}`{hint}")


def flag_name(name: str) -> str:
    """Return what a setting is called on a command line."""
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return ENV_PREFIX + name.upper()
