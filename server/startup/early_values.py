"""Values of the engine's flags that no engine could be started with, told before vLLM is imported.

What is not known to be wrong passes: vLLM reads every value again.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from server.config import ConfigError
from server.models.named import INSTEAD

LENGTH = re.compile(r"-1|auto|0*[1-9]\d*[KMGT]?|\d+(\.\d+)?[kmgt]", re.IGNORECASE)
"""A number of tokens as vLLM reads it."""
JSON = ("{", "[")
"""What an adapter's description begins with, where it is no NAME=PATH."""


def check_values(args: argparse.Namespace) -> None:
    """Raise `ConfigError` for the first value that no engine takes; `args` are the flags given."""
    if "" in (args.model_tag, args.model):
        raise ConfigError(f"the model has an empty name: give a folder, or {INSTEAD}")
    for name, check in CHECKS.items():
        if (given := getattr(args, name, None)) is not None:
            check(given)


def _length(given: str) -> None:
    if not LENGTH.fullmatch(given.strip()):
        told = "give a number of tokens such as 4096 or 8k, or auto"
        raise ConfigError(f"--max-model-len {given} is no length: {told}")


def _share(given: object) -> None:
    if isinstance(given, float) and not 0 < given <= 1:
        told = "give one above 0 and up to 1"
        raise ConfigError(f"--gpu-memory-utilization {given:g} is no share: {told}")


def _adapters(given: list[str]) -> None:
    """Look at NAME=PATH; a path that begins like a folder has to be one."""
    for word in given:
        name, _, place = word.partition("=")
        if word.startswith(JSON) or not word:
            continue
        if not (name and place):
            raise ConfigError(f"--lora-modules {word}: give NAME=FOLDER of an adapter")
        if place[0] in "/.~" and not Path(place).expanduser().is_dir():
            raise ConfigError(f"--lora-modules {word}: there is no folder {place}")


CHECKS: Mapping[str, Callable[..., None]] = {
    "max_model_len": _length,
    "gpu_memory_utilization": _share,
    "lora_modules": _adapters,
}
"""Checks by the flag's destination."""
