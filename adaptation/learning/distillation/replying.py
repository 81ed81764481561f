"""A trainer whose replies are another's: what trains and scores here, what replies there.

All replies of a generation are drawn by the same means, the base's, the champion's and the
candidate's: what is compared differs in the adapter alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adaptation.conversation import Conversation
from adaptation.learning.training.trainer import (
    Draw,
    Foreseen,
    Generated,
    GeneratingTrainer,
    OnStep,
    Spent,
    TrainingJob,
    TrainingResult,
)


class Replying(GeneratingTrainer):
    """Implements `GeneratingTrainer` over one that trains and one that replies."""

    def __init__(self, trainer: GeneratingTrainer, replier: GeneratingTrainer) -> None:
        self._trainer, self._replier = trainer, replier

    @property
    def parameters(self) -> int | None:
        """Size of the base model, once it is known."""
        return self._trainer.parameters

    async def start(self) -> None:
        """Have the base loaded by both, one after the other; raises `TrainerError`.

        What replies looks at how much memory is left.
        """
        await self._trainer.start()
        await self._replier.start()

    async def close(self) -> None:
        """End both."""
        await asyncio.gather(self._replier.close(), self._trainer.close())

    async def train(
        self,
        job: TrainingJob,
        timeout_s: float,
        on_step: OnStep | None = None,
        spent: Spent | None = None,
    ) -> TrainingResult:
        """Run a job; see `Trainer.train`."""
        return await self._trainer.train(job, timeout_s, on_step, spent)

    async def timed(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_new_tokens: int,
        timeout_s: float,
        on_step: OnStep | None = None,
        draw: Draw | None = None,
    ) -> Generated:
        """Continue every conversation: greedily, or by a draw; see `GeneratingTrainer.timed`."""
        limits = max_new_tokens, timeout_s
        return await self._replier.timed(conversations, adapter_path, *limits, on_step, draw)

    async def check(
        self, conversations: Sequence[Conversation], timeout_s: float
    ) -> list[str | None]:
        """Return for every conversation why it cannot be learned, None where it can."""
        return await self._trainer.check(conversations, timeout_s)

    async def measure(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_tokens: int,
        timeout_s: float,
    ) -> list[Foreseen]:
        """Return how well every conversation is foreseen."""
        return await self._trainer.measure(conversations, adapter_path, max_tokens, timeout_s)

    async def align(
        self,
        conversations: Sequence[Conversation],
        reference: Sequence[int],
        max_tokens: int,
        timeout_s: float,
    ) -> list[float]:
        """Return how far learning each would help those of the reference."""
        return await self._trainer.align(conversations, reference, max_tokens, timeout_s)
