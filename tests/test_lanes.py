"""No test is lost between the two lanes of `make test`, and none fails in silence."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.lanes import ROOT, overall


def collected(*arguments: str) -> tuple[int, list[str]]:
    """Return the status of both lanes, and the files whose tests each would run, in turn."""
    command = [sys.executable, "-m", "tests.lanes", "--collect-only", "-qq", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("tests/")]


def test_each_test_is_in_one_lane() -> None:
    here, there = "tests/test_lanes.py", "tests/e2e/test_start.py"
    status, found = collected(here, there)
    assert status == 0
    assert sorted(line.partition(":")[0] for line in found) == [there, here]


@pytest.mark.parametrize(
    ("codes", "status"),
    [([0, 0], 0), ([0, 1], 1), ([1, 5], 1), ([5, 0], 0), ([5, 5], 5), ([0, -9], 9), ([2, 1], 2)],
)
def test_the_status_is_that_of_the_worse_lane(codes: list[int], status: int) -> None:
    assert overall(codes) == status
