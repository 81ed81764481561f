"""Where the files of jobs lie while they are not done."""

from __future__ import annotations

import math
import shutil
from contextlib import suppress
from pathlib import Path

from memory.offline.jobs import JobStore

FOLDER = "jobs"
PIECES = "pieces"
"""In the folder of a generation: what its workers found, which quotes records."""


def folder_of(data_dir: Path, job_id: str) -> Path:
    """Return the folder of a job."""
    return data_dir / FOLDER / job_id


def drop_left(jobs: JobStore, data_dir: Path) -> None:
    """Delete the folders of jobs that are done: their processes were killed before they could."""
    folders = [each for each in (data_dir / FOLDER).glob("*") if each.is_dir()]
    done = {each.name for each in folders} - jobs.open_ids()
    for folder in folders:
        if folder.name in done:
            shutil.rmtree(folder, ignore_errors=True)


def drop_pieces(data_dir: Path, until: float = math.inf) -> None:
    """Delete what workers found up to a moment (Unix seconds) for jobs that are not done.

    It may quote what is erased now; whoever goes on with a job has the rest of it found again.
    """
    for piece in (data_dir / FOLDER).glob(f"*/{PIECES}/[!.]*"):  # dots: they are being written
        with suppress(FileNotFoundError):
            if piece.stat().st_mtime <= until:
                piece.unlink()
