"""One adapter through the whole chain before the first request pays for cold kernels.

It is a self-test as well: what fails here fails every `ttt` request, and the log says why.
"""

from __future__ import annotations

import logging

from adaptation.conversation import spoken
from adaptation.errors import EngineError, TrainerError
from adaptation.services import Services
from adaptation.training.trainer import TrainingJob
from adaptation.types import Adapter
from memory.types import Message

logger = logging.getLogger(__name__)

CONVERSATION = spoken(
    Message(role="user", content="What is 1 + 1?"),
    Message(role="assistant", content="1+1=2.\n#### 2"),
)


async def warm_up(services: Services, probe_tokens: tuple[int, ...]) -> None:
    """Train one step, load the adapter, sample one token through it, unload it."""
    recipe = services.policy.recipe.model_copy(update={"steps": 1})
    try:
        async with services.leases.lease() as lease:
            job = TrainingJob(
                conversations=(CONVERSATION,), recipe=recipe, output_dir=str(lease.folder)
            )
            timeout_s = services.policy.train_timeout_s
            result = await services.trainings.run(services.trainer, job, timeout_s)
            adapter = Adapter(lease.name, lease.id, result.path, "warm-up", result.rank)
            await services.engine.load(adapter)
            try:
                await services.engine.probe(probe_tokens, adapter)
            finally:
                await services.engine.drop(adapter)
    except (TrainerError, EngineError) as error:
        logger.error("strategies ttt and auto will fall back to voting: %s", error)
