"""The real TRL on the built-in model, in an environment beside ours that only brings TRL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adaptation.conversation import Conversation, spoken
from adaptation.learning.preference.examples import read_graded, read_pair
from adaptation.learning.preference.hyperparameters import (
    DpoHyperparameters,
    ReinforcementHyperparameters,
)
from adaptation.learning.preference.installed import check_installed
from adaptation.learning.preference.messages import (
    Checkpoint,
    PreferenceOrder,
    ReinforcementOrder,
    Trained,
)
from adaptation.learning.preference.training import dpo, reinforcement
from adaptation.learning.training.process import ProcessTrainer
from adaptation.pebble import model_path
from loadtests.environment import NotInstalledError
from memory.types import Message
from memory.versions.adapter_files import check_files, hash_files
from tests.adaptation.preference.lines import graded, preference
from tests.e2e.apart import interpreter

SORRY = "Sorry, I do not know that. I am only a small demonstration model."
LEARNED, HELD_OUT = range(20, 52), (17, 61, 77, 85, 90)
"""Numbers that are asked about; to those held out the base answers with some sum."""


@pytest.fixture(scope="module")
def python() -> str:
    """An interpreter that has TRL."""
    try:
        return str(interpreter("trl"))
    except NotInstalledError as error:
        pytest.skip(f"TRL cannot be installed here: {error}")


def question(number: int) -> str:
    return f"Is {number} a prime number? Answer yes or no."


def pairs(numbers: Any) -> tuple[Any, ...]:
    made_up = [f"{n}-3={n - 3}.\n#### {n - 3}" for n in numbers]
    return tuple(
        read_pair(preference(question(n), SORRY, sum_))
        for n, sum_ in zip(numbers, made_up, strict=True)
    )


def preferences(folder: Path) -> PreferenceOrder:
    return PreferenceOrder(
        model=str(model_path()),
        folder=folder,
        pairs=pairs(LEARNED),
        held_out=pairs(HELD_OUT),
        hyperparameters=DpoHyperparameters(n_epochs=3, learning_rate_multiplier=3.0),
        device="cpu",
        seed=7,
    )


async def test_preferences_are_learned_alike_in_one_go_and_in_two(
    python: str, tmp_path: Path
) -> None:
    """Killed after an epoch and gone on with, it comes to the same bytes."""
    await check_installed(python)
    figures: list[dict[str, float]] = []
    whole, again = await asyncio.gather(
        dpo(
            preferences(tmp_path / "whole"),
            lambda step, total, told: figures.append(told),
            python=python,
        ),
        _in_two(preferences(tmp_path / "killed"), python),
    )
    margins = [told["eval_rewards/margins"] for told in figures if "eval_loss" in told]
    assert margins[0] == 0 < margins[1] < margins[-1]
    assert figures[0]["eval_loss"] == pytest.approx(0.6931, abs=1e-3)  # log 2: it is the base
    assert [each.step for each in whole.checkpoints] == [8, 16, 24]
    assert (whole.steps, whole.hyperparameters.batch_size) == (24, 4)
    check_files(whole.folder, rank=16)
    assert hash_files(whole.folder) == hash_files(again.folder)
    once = DpoHyperparameters(n_epochs=1)
    further = preferences(tmp_path / "further").model_copy(
        update={"parent": whole.folder, "hyperparameters": once}
    )
    figures.clear()
    await dpo(further, lambda step, total, told: figures.append(told), python=python)
    assert figures[0]["eval_rewards/margins"] == 0  # its parent is the reference
    assert figures[0]["eval_logps/rejected"] < -20  # −15 by the base
    before, after = await _answers(None), await _answers(whole.folder)
    assert SORRY not in before
    assert after.count(SORRY) >= 4


async def test_a_grader_is_learned_from(python: str, tmp_path: Path) -> None:
    prompts = [read_graded(graded(f"What is {n} + {n + 3}?", most=12)) for n in range(11, 27)]

    async def grade(text: str, item: Mapping[str, Any]) -> float:
        return float(len(text) < item["most"])

    order = ReinforcementOrder(
        model=str(model_path()),
        folder=tmp_path,
        prompts=prompts,
        held_out=prompts[:2],
        hyperparameters=ReinforcementHyperparameters(
            n_epochs=1, batch_size=4, compute_multiplier=0.5, eval_interval=2
        ),
        answer_tokens=24,
        device="cpu",
    )
    figures: list[dict[str, float]] = []
    trained = await reinforcement(
        order, grade, lambda step, total, told: figures.append(told), python=python
    )
    rewards = [told["reward"] for told in figures if "reward" in told]
    assert len(rewards) == trained.steps == 4
    assert all(0 <= reward <= 1 for reward in rewards)
    assert sum("eval_reward" in told for told in figures) == 3
    assert all("kl" in told for told in figures if "reward" in told)
    check_files(trained.folder, rank=16)


async def _in_two(order: PreferenceOrder, python: str) -> Trained:
    """Cancel a training in its second epoch, and begin it again."""
    in_second = asyncio.Event()

    def on_metrics(step: int, total: int, told: dict[str, float]) -> None:
        if step > 9:
            in_second.set()

    work = asyncio.create_task(dpo(order, on_metrics, python=python))
    await in_second.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    made: list[Checkpoint] = []
    trained = await dpo(order, lambda *told: None, made.append, python)
    assert [each.step for each in made] == [16, 24]  # the first epoch was not trained again
    return trained


async def _answers(folder: Path | None) -> list[str]:
    trainer = ProcessTrainer(str(model_path()), device="cpu")
    asked: list[Conversation] = [
        spoken(Message(role="user", content=question(number))) for number in HELD_OUT
    ]
    try:
        return await trainer.generate(asked, str(folder) if folder else None, 40, 300)
    finally:
        await trainer.close()
