"""Several trainers of one base beside each other: what is asked goes to the one with least to do.

A training of a small model has a core's worth of work; further processes use the other cores. Knows
nothing of how work is split among them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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


class Several(GeneratingTrainer):
    """Implements `GeneratingTrainer` over some that are alike."""

    def __init__(self, trainers: Sequence[GeneratingTrainer]) -> None:
        self._trainers = trainers
        self._under_way = [0] * len(trainers)

    @property
    def parameters(self) -> int | None:
        """Size of the base model, once it is known."""
        return self._trainers[0].parameters

    async def start(self) -> None:
        """Have the base loaded by all of them at once; raises `TrainerError`."""
        await asyncio.gather(*(each.start() for each in self._trainers))

    async def close(self) -> None:
        """End them."""
        await asyncio.gather(*(each.close() for each in self._trainers))

    async def train(
        self,
        job: TrainingJob,
        timeout_s: float,
        on_step: OnStep | None = None,
        spent: Spent | None = None,
    ) -> TrainingResult:
        """Run a job; see `Trainer.train`."""
        with self._one() as trainer:
            return await trainer.train(job, timeout_s, on_step, spent)

    async def timed(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_new_tokens: int,
        timeout_s: float,
        on_step: OnStep | None = None,
        draw: Draw | None = None,
    ) -> Generated:
        """See `GeneratingTrainer.timed`."""
        how = max_new_tokens, timeout_s, on_step, draw
        with self._one() as trainer:
            return await trainer.timed(conversations, adapter_path, *how)

    async def check(
        self, conversations: Sequence[Conversation], timeout_s: float
    ) -> list[str | None]:
        """Return for every conversation why it cannot be learned, None where it can."""
        with self._one() as trainer:
            return await trainer.check(conversations, timeout_s)

    async def measure(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_tokens: int,
        timeout_s: float,
    ) -> list[Foreseen]:
        """Return how well every conversation is foreseen."""
        with self._one() as trainer:
            return await trainer.measure(conversations, adapter_path, max_tokens, timeout_s)

    async def align(
        self,
        conversations: Sequence[Conversation],
        reference: Sequence[int],
        max_tokens: int,
        timeout_s: float,
    ) -> list[float]:
        """Return how far learning each would help those of the reference."""
        with self._one() as trainer:
            return await trainer.align(conversations, reference, max_tokens, timeout_s)

    @contextmanager
    def _one(self) -> Iterator[GeneratingTrainer]:
        place = min(range(len(self._trainers)), key=self._under_way.__getitem__)
        self._under_way[place] += 1
        try:
            yield self._trainers[place]
        finally:
            self._under_way[place] -= 1
