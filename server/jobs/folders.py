"""Where the files of jobs lie while they are not done."""

from __future__ import annotations

import shutil
from pathlib import Path

from memory.offline.jobs import JobStore

FOLDER = "jobs"


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
