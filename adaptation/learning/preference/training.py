"""The two methods, for whoever runs a job: preferences by DPO, grades by GRPO."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from adaptation.errors import TrainerError
from adaptation.learning.preference.messages import (
    Answered,
    PreferenceOrder,
    ReinforcementOrder,
    Trained,
)
from adaptation.learning.preference.process import OnCheckpoint, OnMetrics, train

Grade: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[float]]
"""(the answer's text, the line of its prompt) → its reward."""
GRADED_AT_ONCE = 16


async def dpo(
    order: PreferenceOrder,
    on_metrics: OnMetrics,
    on_checkpoint: OnCheckpoint = lambda checkpoint: None,
    python: str = sys.executable,
) -> Trained:
    """Learn preferences; cancelling kills it, and the same order goes on from the last epoch.

    Raises `TrainerError` where TRL is missing, a pair cannot be learned or the process dies.
    """
    return await train(order, on_metrics=on_metrics, on_checkpoint=on_checkpoint, python=python)


async def reinforcement(
    order: ReinforcementOrder,
    grade: Grade,
    on_metrics: OnMetrics,
    on_checkpoint: OnCheckpoint = lambda checkpoint: None,
    python: str = sys.executable,
) -> Trained:
    """Learn what `grade` rewards; as `dpo` otherwise. What `grade` raises ends the training."""
    items = [each.item for each in (*order.prompts, *order.held_out)]
    turns = asyncio.Semaphore(GRADED_AT_ONCE)

    async def graded(text: str, number: int) -> float:
        async with turns:
            score = await grade(text, items[number])
        if not math.isfinite(score):
            raise TrainerError(f"the grader gave {score}, which is no reward")
        return score

    async def grade_all(asked: Answered) -> Sequence[float]:
        pairs = zip(asked.answers, asked.numbers, strict=True)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(graded(text, number)) for text, number in pairs]
        except BaseExceptionGroup as failed:  # one is enough to end it
            raise failed.exceptions[0] from failed
        return [task.result() for task in tasks]

    return await train(
        order, on_metrics=on_metrics, on_checkpoint=on_checkpoint, grade=grade_all, python=python
    )
