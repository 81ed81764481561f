"""One adapter through the whole chain before the first request pays for cold kernels.

It is a self-test as well: what fails here fails every `ttt` request, and the log says why. Then
steps as large as a request's are timed.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adaptation.conversation import Conversation, spoken
from adaptation.errors import EngineError, TrainerError
from adaptation.learning.leases import Lease
from adaptation.learning.training.trainer import TrainingJob, TrainingResult
from adaptation.services import Services
from adaptation.types import Adapter
from memory.types import Message

logger = logging.getLogger(__name__)

FEW, MORE = 1, 3
"""Steps of the two trainings that are timed: both prepare alike, so what lies between is steps."""

CONVERSATION = spoken(
    Message(role="user", content="What is 1 + 1?"),
    Message(role="assistant", content="1+1=2.\n#### 2"),
)


def typical(number: int) -> Conversation:
    """Some hundred tokens, as a worked solution has; no two begin alike: that would save work."""
    question = f"{number}. Ann has 12 apples, buys 9 more and gives 6 away. How many?"
    solution = " ".join(["12+9=21, and 21-6=15."] * 5) + "\n#### 15"
    return spoken(
        Message(role="user", content=question), Message(role="assistant", content=solution)
    )


async def warm_up(services: Services, probe_tokens: tuple[int, ...]) -> float | None:
    """Train one step, load the adapter, sample one token through it, unload it.

    Returns the seconds of a step without a training's preparation, None where something failed.
    """
    try:
        async with _trained(services, (CONVERSATION,), 1) as (lease, result):
            adapter = Adapter(lease.name, lease.id, result.path, "warm-up", result.rank)
            await services.engine.load(adapter)
            try:
                await services.engine.probe(probe_tokens, adapter)
            finally:
                await services.engine.drop(adapter)
        few_s, more_s = [await _seconds(services, steps) for steps in (FEW, MORE)]
        between_s = (more_s - few_s) / (MORE - FEW)
        return between_s if between_s > 0 else more_s / MORE
    except (TrainerError, EngineError) as error:
        logger.error("strategies ttt and auto will fall back to voting: %s", error)
        return None


async def _seconds(services: Services, steps: int) -> float:
    """Return what a training of so many steps takes."""
    conversations = tuple(map(typical, range(services.policy.neighbours)))
    async with _trained(services, conversations, steps) as (_, result):
        if result.steps < steps:
            raise TrainerError(f"not even {steps} steps were taken in its time")
        return result.seconds


@asynccontextmanager
async def _trained(
    services: Services, conversations: tuple[Conversation, ...], steps: int
) -> AsyncIterator[tuple[Lease, TrainingResult]]:
    """Hold what some steps on `conversations` have made."""
    recipe = services.policy.recipe.model_copy(update={"steps": steps, "min_loss": 0.0})
    async with services.leases.lease() as lease:
        job = TrainingJob(conversations=conversations, recipe=recipe, output_dir=str(lease.folder))
        timeout_s = services.policy.train_timeout_s
        yield lease, await services.trainings.run(services.trainer, job, timeout_s)
