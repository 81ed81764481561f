"""Programs that start processes as Whet does, say their numbers, and wait to be killed."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time

from adaptation.child import command, end_if_spawned

end_if_spawned()


def sleep() -> None:
    """Outlive every test."""
    time.sleep(600)


def main(kind: str) -> None:
    """Start one process of a kind."""
    if kind == "spawned":
        process = multiprocessing.get_context("spawn").Process(target=sleep)
        process.start()
        print(process.pid, flush=True)
    elif kind == "child":
        print(subprocess.Popen(command(__spec__.name, "sleeper")).pid, flush=True)
    print("asleep", flush=True)
    sleep()


if __name__ == "__main__":
    main(sys.argv[1])
