"""A generation on a real cluster of several processes is that of one process, whatever is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adaptation.learning.training.process import ProcessTrainer
from adaptation.pebble import model_path
from server.server_process import ROOT
from tests.adaptation.learning.generating import Learned, actors, cluster, generation, spread


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    pytest.importorskip("ray")
    with cluster() as found:
        yield found


@pytest.fixture
def copy(data_dir: Path, tmp_path: Path) -> Path:
    """A second data folder, as empty as the first."""
    shutil.copytree(data_dir, tmp_path / "copy")
    return tmp_path / "copy"


async def by_one_process(data_dir: Path) -> Learned:
    return await generation(ProcessTrainer(model_path(), device="cpu", threads=1), data_dir)


def kill_once_it_judges(address: str, folder: Path) -> None:
    """Run a generation in a process, and kill that once the candidate is trained."""
    words = (sys.executable, "-m", "tests.adaptation.learning.generating", address, str(folder))
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        for line in driver.stdout:
            if line.startswith("evaluate"):
                driver.kill()
                return


async def test_one_worker_and_two_decide_and_train_as_one_process_does_though_one_is_killed(
    address: str, data_dir: Path, copy: Path, tmp_path: Path
) -> None:
    third = tmp_path / "third"
    shutil.copytree(copy, third)
    alone = await by_one_process(data_dir)
    one = await generation(spread(address, 1), copy)
    assert one.told == alone.told
    assert one.adapter == alone.adapter
    killed = list[int]()

    def kill(phase: str, done: int, total: int) -> None:
        """Kill both workers in turn: one while replies come, one while the candidate is trained."""
        if (phase, len(killed)) in (("score", 0), ("train", 1)) and done:
            victim = actors(address)[0]
            killed.append(victim.pid)
            victim.kill()

    two = await generation(spread(address, 2), third, kill)
    assert len(killed) == 2
    assert two.told == alone.told
    assert two.adapter == alone.adapter


async def test_a_generation_goes_on_where_the_process_that_ran_it_was_killed(
    address: str, data_dir: Path, copy: Path
) -> None:
    kill_once_it_judges(address, copy)
    kept = {path: path.stat().st_mtime_ns for path in (copy / "pieces").iterdir()}
    assert len(kept) >= 5, "what was scored, and the candidate that was trained"
    phases = list[str]()
    learned = await generation(
        spread(address, 2, copy / "pieces"), copy, lambda phase, *_: phases.append(phase)
    )
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert "evaluate candidate" in phases
    assert not {"score", "train"}.intersection(phases), "nothing is found or trained again"
    alone = await by_one_process(data_dir)
    assert learned.told == alone.told
    assert learned.adapter == alone.adapter
