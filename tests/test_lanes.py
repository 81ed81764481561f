"""No test is lost between the workers of `make test`, and one of them has the engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIRED = "from tests.conftest import pytest_xdist_make_scheduler\n"
FILE = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_it(number):
    pass
"""
FILES = ("tests/e2e/test_a.py", "tests/e2e/test_b.py", "tests/test_c.py", "tests/test_d.py")


def test_all_run_once_a_file_in_one_worker_and_one_worker_has_the_engine(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(FILE)
    (tmp_path / "conftest.py").write_text(WIRED)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-n2", "--rootdir", tmp_path, *FILES],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    workers, times = defaultdict(set), defaultdict(int)
    for worker, name in re.findall(r"^\[(gw\d)\] .*PASSED (\S+)::", ran.stdout, re.MULTILINE):
        workers[name].add(worker)
        times[name] += 1
    assert times == dict.fromkeys(FILES, 4)
    assert all(len(each) == 1 for each in workers.values())
    assert workers[FILES[0]] == workers[FILES[1]] != workers[FILES[2]]
