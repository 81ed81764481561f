"""The reward model that an operator names: checked, loaded beside the engine, and ended with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from adaptation.rewards.process import ProcessRewardModel
from server.config import Settings
from server.models.size import parameters_of

BYTES = 4
"""Bytes of a parameter on a CPU, where it is loaded in 32 bits."""


@asynccontextmanager
async def open_rewards(
    settings: Settings, threads: int | None
) -> AsyncIterator[ProcessRewardModel | None]:
    """Load the model of the settings beside what else is done in the block; None without one.

    One that cannot be loaded is said in the log, and left out until it can.
    """
    if settings.reward_model is None:
        yield None
        return
    rewards = ProcessRewardModel(settings.reward_model, threads, settings.reward_device)
    rewards.begin()
    try:
        yield rewards
    finally:
        await rewards.close()


def held_bytes(folder: Path | None) -> int:
    """Return the memory that the weights of a reward model take, as far as its files tell."""
    return 0 if folder is None else BYTES * parameters_of(folder)
