"""What the code around the engine costs a vote of four, in processor time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from rich.console import Console

from loadtests.sound.builds import Build, NoBuildError
from loadtests.sound.figures import Compared
from loadtests.sound.of_build import environment

SCRIPT = Path(__file__).with_name("one_vote.py")


def measure(rounds: int, before: Build, now: Build, console: Console) -> list[Compared]:
    """Run the script in both builds, in turns; a round's figure is the median of its turns."""
    found: dict[Build, list[float]] = {before: [], now: []}
    for number in range(rounds):
        for build, figures in found.items():
            console.print(f"a vote, round {number + 1} of {rounds}: {build.name}")
            figures.append(median(_turns(build)))
            console.print(f"  {figures[-1]:.2f} ms of a core")
    added = tuple(late - early for early, late in zip(*found.values(), strict=True))
    return [
        Compared(
            "added to a vote of four, without the engine", "CPU ms", (), added, "now", "at most", 1
        ),
    ]  # fmt: skip


def _turns(build: Build) -> list[float]:
    folder = str(build.folder)
    # The script's own folder is not looked in: the build's packages are.
    command = [sys.executable, "-P", str(SCRIPT)]
    done = subprocess.run(
        command, cwd=folder, env=environment(os.environ, folder), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise NoBuildError(f"a vote of {build.name} failed:\n{done.stderr[-2000:]}")
    turns: list[float] = json.loads(done.stdout.splitlines()[-1])
    return turns
