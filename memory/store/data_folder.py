"""The folder that holds what everybody asked and was answered: its owner's only."""

from __future__ import annotations

from pathlib import Path


def make_data_folder(folder: Path) -> None:
    """Make the folder with mode 0700, unless it is there: then its owner has said who may look.

    Raises OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
