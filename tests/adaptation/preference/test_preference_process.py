"""The parent of the process that has TRL: what it hears, grades, refuses and ends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from adaptation.errors import TrainerError
from adaptation.learning.preference import installed, process
from adaptation.learning.preference.examples import read_graded, read_pair
from adaptation.learning.preference.messages import (
    Checkpoint,
    PreferenceOrder,
    ReinforcementOrder,
)
from adaptation.learning.preference.training import dpo, reinforcement
from adaptation.learning.preference.worker import only
from tests.adaptation.preference.lines import graded, preference

PAIRS = (read_pair(preference("2 + 2?", "4", "5")),)


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the process train nothing, whether TRL is there or not."""

    async def is_there(python: str) -> None:
        assert python

    monkeypatch.setattr(process, "WORKER", "tests.adaptation.preference.light_trl_worker")
    monkeypatch.setattr(process, "check_installed", is_there)


def order(folder: Path, model: str = "works") -> PreferenceOrder:
    return PreferenceOrder(model=model, folder=folder, pairs=PAIRS)


async def test_a_training_tells_its_metrics_its_checkpoints_and_its_result(tmp_path: Path) -> None:
    metrics: list[Any] = []
    made: list[Checkpoint] = []
    trained = await dpo(order(tmp_path / "new"), lambda *told: metrics.append(told), made.append)
    assert metrics == [(1, 1, {"loss": 0.5})]
    assert tuple(made) == trained.checkpoints
    assert trained.folder == tmp_path / "new" / "adapters" / "1"
    assert trained.hyperparameters.batch_size == 4


async def test_every_answer_is_graded_with_the_line_of_its_prompt(tmp_path: Path) -> None:
    prompts = [read_graded(graded(f"{n}?", answer=f"answer {n}")) for n in range(40)]
    at_once, most = 0, 0

    async def grade(text: str, item: Mapping[str, Any]) -> float:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return float(text == item["answer"])

    asked = ReinforcementOrder(
        model="works", folder=tmp_path, prompts=prompts[:30], held_out=prompts[30:]
    )
    metrics: list[dict[str, float]] = []
    await reinforcement(asked, grade, lambda step, total, figures: metrics.append(figures))
    assert metrics[0]["reward"] == 40.0
    assert 1 < most <= 16


async def test_a_grade_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    async def grade(text: str, item: Mapping[str, Any]) -> float:
        return float("nan")

    asked = ReinforcementOrder(
        model="works", folder=tmp_path, prompts=(read_graded(graded("2 + 2?")),)
    )
    with pytest.raises(TrainerError, match="no reward"):
        await reinforcement(asked, grade, lambda *told: None)
    assert children() == []


async def test_what_was_refused_and_what_a_process_died_of_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="example 1: it is too long"):
        await dpo(order(tmp_path, "refuses"), lambda *told: None)
    with pytest.raises(TrainerError, match=r"exit status 1.*no memory left"):
        await dpo(order(tmp_path, "dies"), lambda *told: None)


async def test_who_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    stepping = asyncio.Event()
    work = asyncio.create_task(dpo(order(tmp_path, "hangs"), lambda *told: stepping.set()))
    await stepping.wait()
    assert len(children()) == 1
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert children() == []


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", r'need TRL: .*pip install "whet\[trl\]"'),
        ("echo 1.15.2", r"TRL 1.15.2 is installed, .*whet\[trl\]"),
    ],
)
async def test_a_missing_trl_is_told_with_how_to_install_it(
    tmp_path: Path, script: str, said: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    with pytest.raises(TrainerError, match=said):
        await installed.check_installed(str(python))


async def test_an_interpreter_says_whether_it_has_trl() -> None:
    from importlib.util import find_spec

    if find_spec("trl") is None:
        with pytest.raises(TrainerError, match="need TRL"):
            await installed.check_installed(sys.executable)
    else:
        await installed.check_installed(sys.executable)


def children() -> list[int]:
    """The processes of the training that are left; the suite may have others, dead ones too."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "light_trl_worker" in " ".join(each.cmdline()):
                found.append(each.pid)
    return found


@pytest.mark.parametrize(
    ("device", "visible", "seen"),
    [
        ("auto", None, "0"),
        ("cuda:1", None, "1"),
        ("auto", "4,6", "4"),
        ("cuda:1", "4,6", "6"),
        ("cpu", "", ""),
    ],
)
def test_one_device_is_seen_which_is_counted_among_the_visible(
    device: str, visible: str | None, seen: str
) -> None:
    assert only(device, visible) == seen


def test_a_device_that_is_not_visible_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no device cuda:2"):
        only("cuda:2", "4,6")
