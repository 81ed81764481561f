"""What this process may use of the machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container's bound stands, in either version of control groups."""


@dataclass(frozen=True)
class Machine:
    """Cores and memory."""

    cores: int
    free_bytes: int
    """Memory that a new program can take."""


def this_machine() -> Machine:
    """Return what is there now, a container's bounds kept."""
    free = psutil.virtual_memory().available
    return Machine(len(os.sched_getaffinity(0)), min([free, *_limits()]))


def _limits() -> list[int]:
    found = (path.read_text().strip() for path in LIMITS if path.is_file())
    return [int(limit) for limit in found if limit.isdigit()]
