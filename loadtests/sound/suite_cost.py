"""Processor seconds of the fast tests (`make test-fast`), all their processes together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile

from rich.console import Console

from loadtests.sound.builds import Build
from loadtests.sound.figures import Compared
from loadtests.sound.hogs import load_average
from loadtests.sound.of_build import environment

TESTS = ("-m", "not e2e and not gpu", "-q", "-p", "no:cacheprovider")
PROFILE = "--hypothesis-profile"
"""As the build's Makefile has it, if it has one: builds are compared by what they ask of those who
work on them."""
SHARE = 0.6
END_S = 30.0


def measure(rounds: int, before: Build, now: Build, console: Console) -> list[Compared]:
    """Run both builds' tests in turns, with no cache of the run before."""
    costs: dict[Build, list[float]] = {before: [], now: []}
    for number in range(rounds):
        for build, found in costs.items():
            console.print(f"tests, round {number + 1} of {rounds}: {build.name}")
            found.append(_cost_s(build, console))
    return [
        Compared(
            "the fast tests, processor time",
            "s",
            tuple(costs[before]),
            tuple(costs[now]),
            "now / before",
            "at most",
            SHARE,
        )
    ]


def _cost_s(build: Build, console: Console) -> float:
    """Run the tests, and say how they ended: those that fail cost what they cost."""
    load = load_average()
    with tempfile.TemporaryFile("w+") as log:
        tests = subprocess.Popen(
            [sys.executable, "-m", "pytest", *TESTS, *profile(build)],
            cwd=build.folder,
            env=environment(os.environ, str(build.folder)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _, status, used = os.wait4(tests.pid, 0)  # with all children that it waited for
            tests.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if tests.returncode is None:
                _end(tests)
        log.seek(0)
        last = (log.read().splitlines() or ["nothing was said"])[-1]
    seconds = used.ru_utime + used.ru_stime
    console.print(f"  {seconds:.0f} s, load {load:.1f}: {last}")
    return seconds


def _end(tests: subprocess.Popen[bytes]) -> None:
    """Let fixtures end what they started, as Ctrl-C does."""
    tests.send_signal(signal.SIGINT)
    try:
        tests.wait(END_S)
    except subprocess.TimeoutExpired:
        tests.kill()
        tests.wait()


def profile(build: Build) -> list[str]:
    """Return the flag of hypothesis that the build tests itself with."""
    words = (build.folder / "Makefile").read_text("utf-8").split()
    return [word for word in words if word.startswith(PROFILE)]
