"""Every test, in two processes beside each other: what starts an engine, and all the rest.

An engine's tests wait for processes to start, and use little more than one core. Arguments are
pytest's. The engine's lane is seen as it runs; what the other says is printed when it ends.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

LANES = ("engine", "units")
ROOT = Path(__file__).parents[1]


def lane_of(item: pytest.Item) -> str:
    """Return the lane of a test; what serves a real model is left to the shorter one."""
    return "engine" if item.get_closest_marker("e2e") else "units"


def main(arguments: Sequence[str]) -> int:
    """Run both lanes to their ends; return what pytest would for all."""
    pytest_of = [sys.executable, "-m", "pytest", *arguments]
    with (
        tempfile.TemporaryFile() as kept,
        subprocess.Popen([*pytest_of, "--lane=engine"], cwd=ROOT) as engine,
        subprocess.Popen(
            [*pytest_of, "--lane=units"], cwd=ROOT, stdout=kept, stderr=subprocess.STDOUT
        ) as units,
    ):
        codes = [units.wait()]
        kept.seek(0)
        print(flush=True)
        shutil.copyfileobj(kept, sys.stdout.buffer)
        sys.stdout.flush()
        codes.append(engine.wait())
    return overall(codes)


def overall(codes: Sequence[int]) -> int:
    """Return the exit status of the whole: a lane may be empty, unless every one is.

    A status below zero is the signal that ended a lane.
    """
    empty = int(pytest.ExitCode.NO_TESTS_COLLECTED)
    return max((abs(code) for code in codes if code != empty), default=empty)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
