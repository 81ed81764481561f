"""Load beside a server: a process for each core that does nothing but count."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from adaptation import child


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Keep `count` cores busy for the length of the block."""
    hogs = [_hog() for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def _hog() -> subprocess.Popen[bytes]:
    return subprocess.Popen(child.command("loadtests.sound.hogs"), stdin=subprocess.DEVNULL)


def load_average() -> float:
    """How many processes wanted a core over the last minute."""
    return os.getloadavg()[0]


if __name__ == "__main__":
    while True:
        pass
