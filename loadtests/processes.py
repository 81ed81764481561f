"""What the processes of a server use."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from server.resident import role_of

MIB = 2**20


def peak_mib(processes: Sequence[psutil.Process]) -> dict[str, float]:
    """Return the peak resident memory of each role in MiB; the first process is the server.

    Pages shared between processes count in each of them.
    """
    found: dict[str, float] = {}
    for index, process in enumerate(processes):
        with contextlib.suppress(psutil.NoSuchProcess):
            role = "server" if index == 0 else role_of(" ".join(process.cmdline()))
            found[role] = found.get(role, 0.0) + peak_bytes(process) / MIB
    return found


def peak_bytes(process: psutil.Process) -> int:
    """Return the high-water mark of resident memory; where there is none, what is resident now."""
    status = Path(f"/proc/{process.pid}/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    resident: int = process.memory_info().rss
    return resident


def cpu_share(processes: Sequence[psutil.Process], seconds: float) -> float:
    """Return how many cores the processes use on average over the next `seconds`."""
    before = cpu_seconds(processes)
    time.sleep(seconds)
    return (cpu_seconds(processes) - before) / seconds


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Return the processor time that the processes have used."""
    return sum(_cpu_s(process) for process in processes)


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def with_children(pid: int) -> list[psutil.Process]:
    """Return a process and all that it started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
