"""Adapters as bytes: an actor may be on a host that has none of this one's files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from adaptation.errors import TrainerError
from adaptation.learning.leases import SHARED_MEMORY
from adaptation.learning.training.adapter_files import CONFIG, WEIGHTS, read_config

Files = Mapping[str, bytes]
"""By their names in the folder of an adapter."""
PREFIX = "whet-ray-"
"""Of the folders that an actor's jobs work in; one is there while its job is under way."""


def scratch() -> Path:
    """Return where these folders are: in memory where there is such."""
    return SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())


def read_adapter(folder: Path) -> Files:
    """Return what is in the folder of an adapter; raises `ValueError` where it holds none."""
    read_config(folder)
    try:
        return {name: (folder / name).read_bytes() for name in (CONFIG, WEIGHTS)}
    except OSError as error:
        raise ValueError(f"{folder} cannot be read: {error}") from error


def write_adapter(files: Files, folder: Path) -> None:
    """Write an adapter into an existing folder; raises `TrainerError` where that fails.

    The folder isn't created: where it is missing, whoever gave the job up has deleted it.
    """
    try:
        for name in (WEIGHTS, CONFIG):
            (folder / name).write_bytes(files[name])
    except OSError as error:
        raise TrainerError(f"the adapter cannot be written: {error}") from error
