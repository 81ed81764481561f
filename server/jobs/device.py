"""The device that jobs train on: one job at a time, of whatever process of this data folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def device(data_dir: Path, *, waits: bool = False) -> Iterator[bool]:
    """Hold the device in the block; False where another has it and nobody `waits`.

    It is free again when the process that holds it ends, however that ended.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "jobs.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
