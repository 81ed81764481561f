"""Somebody else: asks `GET /health` every 5 ms over one connection, and notes how long each took.

Of a wait, what counts is how long the server's process was at work in it, whichever of its threads:
on a shared machine a wait for a core says nothing of the server.

A process of its own: `python -m loadtests.sound.health URL PID`. It prints a line once it is
answered, and all waits in seconds when its input ends. Standard library only, to start at once.
"""

from __future__ import annotations

import http.client
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from adaptation import child

if TYPE_CHECKING:
    from server.server_process import Server

EVERY_S = 0.005
LIMIT_S = 180.0
"""Longer than any block that is told."""
CPU_CLOCK = 2
"""Linux's mark of a process's clock in the number of that clock."""
SETTLE_S = 1.0
"""Asked before and after the block, to know what is usual."""


@contextmanager
def asked_for_health(server: Server) -> Iterator[list[float]]:
    """Ask for the length of the block and a little before and after; the list is filled then."""
    waits_s: list[float] = []
    asker = subprocess.Popen(
        child.command("loadtests.sound.health", server.url, str(server.process.pid)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert asker.stdout is not None
        asker.stdout.readline()
        time.sleep(SETTLE_S)
        yield waits_s
        time.sleep(SETTLE_S)
        told, _ = asker.communicate("", timeout=LIMIT_S)
        waits_s.extend(map(float, told.split()))
    finally:
        asker.kill()
        asker.wait()


def main(url: str, pid: int) -> None:
    """Ask until the input ends."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=LIMIT_S)
    _wait_s(connection, pid)
    print("answered", flush=True)
    waits_s = []
    while not select.select([sys.stdin], [], [], EVERY_S)[0]:
        waits_s.append(_wait_s(connection, pid))
    print(*waits_s)


def _wait_s(connection: http.client.HTTPConnection, pid: int) -> float:
    begun, worked = time.perf_counter(), at_work_s(pid)
    connection.request("GET", "/health")
    connection.getresponse().read()
    return min(time.perf_counter() - begun, at_work_s(pid) - worked)


def at_work_s(pid: int) -> float:
    """Return the processor seconds of a process, to the microsecond: clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | CPU_CLOCK)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
