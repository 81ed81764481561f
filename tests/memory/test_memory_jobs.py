"""A job that only one process may do at a time is one process's, and nobody's after a kill."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memory.errors import StorageBusyError
from memory.memory import LongTermMemory

HOLDER = """
import sys, time
from pathlib import Path
from memory.store.database import open_database
database = open_database(Path(sys.argv[1]), sys.argv[2] or None)
with database.alone("a job"):
    print("begun", flush=True)
    time.sleep(600)
"""


def test_a_job_is_one_processs_until_it_ends_or_is_killed(
    memory: LongTermMemory, tmp_path: Path, dialect: str, request: pytest.FixtureRequest
) -> None:
    url = "" if dialect == "sqlite" else request.getfixturevalue("on_postgres")(tmp_path)
    command = [sys.executable, "-c", HOLDER, str(tmp_path), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "begun\n"
        with pytest.raises(StorageBusyError, match="another process does this already: a job"):
            _do(memory, "a job")
        _do(memory, "another job")
        holder.kill()
    for _ in range(100):  # the other end of a connection is gone a moment later
        try:
            return _do(memory, "a job")
        except StorageBusyError:
            subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError("it is still held")


def _do(memory: LongTermMemory, job: str) -> None:
    with memory.alone(job):
        pass


def test_a_job_that_fails_is_free_again(memory: LongTermMemory) -> None:
    with pytest.raises(KeyError), memory.alone("a job"):
        raise KeyError
    _do(memory, "a job")
    _do(memory, "a job")
