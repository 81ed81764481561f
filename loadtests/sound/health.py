"""Somebody else: asks `GET /health` every 5 ms over one connection, and notes how long each took.

A process of its own, so that nothing but the server keeps it waiting: `python -m
loadtests.sound.health URL`. It prints a line once it is answered; when its input ends, all waits
in seconds. Standard library only, to start at once.
"""

from __future__ import annotations

import http.client
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from adaptation import child

EVERY_S = 0.005
LIMIT_S = 180.0
"""Longer than any block that is told."""
SETTLE_S = 1.0
"""Asked before and after the block, to know what is usual."""


@contextmanager
def asked_for_health(url: str) -> Iterator[list[float]]:
    """Ask for the length of the block and a little before and after; the list is filled then."""
    waits_s: list[float] = []
    asker = subprocess.Popen(
        child.command("loadtests.sound.health", url),
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


def main(url: str) -> None:
    """Ask until the input ends."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=LIMIT_S)
    _wait_s(connection)
    print("answered", flush=True)
    waits_s = []
    while not select.select([sys.stdin], [], [], EVERY_S)[0]:
        waits_s.append(_wait_s(connection))
    print(*waits_s)


def _wait_s(connection: http.client.HTTPConnection) -> float:
    begun = time.perf_counter()
    connection.request("GET", "/health")
    connection.getresponse().read()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(sys.argv[1])
