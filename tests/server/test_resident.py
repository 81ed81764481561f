"""What the processes hold is known by what they do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from server.resident import allocated_of, resident_bytes, resident_of, role_of, said

HELD = 100_000_000
HOLD = f"held = b'x' * {HELD}; print(flush=True); input()"


@pytest.fixture
def trainer() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that looks like a trainer and holds memory."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", HOLD, "adaptation.learning.training.worker"]
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        yield process
        process.communicate(b"\n")


def test_roles_are_read_from_command_lines() -> None:
    assert role_of("VLLM::EngineCore") == "engine core"
    assert role_of("python -m adaptation.learning.training.worker --model x") == "trainer"
    assert role_of("python -P child.py 7 adaptation.rewards.worker /model") == "reward model"
    assert role_of("python -c resource_tracker") == "helpers"


def test_each_process_counts_under_its_role(trainer: subprocess.Popen[bytes]) -> None:
    server = psutil.Process()
    found = resident_of([server, psutil.Process(trainer.pid)])
    assert HELD < found["trainer"] < 2 * HELD
    assert found["server"] == pytest.approx(server.memory_info().rss, rel=0.1)


def test_what_is_allocated_is_told_from_the_pages_of_files(
    trainer: subprocess.Popen[bytes],
) -> None:
    family = [psutil.Process(), psutil.Process(trainer.pid)]
    resident, allocated = resident_of(family), allocated_of(family)
    assert HELD < allocated["trainer"] < resident["trainer"]
    assert 0 < allocated["server"] < resident["server"]


def test_all_below_the_server_count(trainer: subprocess.Popen[bytes]) -> None:
    assert resident_bytes()["trainer"] > HELD


def test_it_is_said_in_gigabytes() -> None:
    assert said({"server": 1_140_000_000, "trainer": 96_000_000}) == "server 1.1 GB, trainer 0.1 GB"
