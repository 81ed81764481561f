"""A trainer whose work is done by several at once: what is asked is split, and put together again.

What is asked of conversations one by one (replies, losses) is split evenly, and what comes is in
their order. Replies are those of one process, since a reply's draws are its own, by seed, prompt
and how many of the same prompt came before (`training.draws`): so whatever repeats a prompt stays
together. Families that are decoded by Transformers' own way draw by the batch, and draw
otherwise here.

A training is one piece. Its gradients could be found apart, but their sum would have other last
bits: the adapter is to be that of one process. Several trainings, as of `doubt`, run at once, and
what needs no candidate is asked `beside` its training.

A piece whose worker was lost is asked again, elsewhere; one that fails by itself would fail again,
and ends the stage. What a piece came to can be kept (`pieces`). Knows nothing of who works, or
where.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

from pydantic import TypeAdapter

from adaptation.conversation import Conversation
from adaptation.errors import TrainerLostError
from adaptation.learning.distillation.at_once import at_once
from adaptation.learning.distillation.pieces import Pieces
from adaptation.learning.training.trainer import (
    NOTHING,
    Draw,
    Foreseen,
    Generated,
    GeneratingTrainer,
    OnStep,
    Spent,
    TrainingJob,
    TrainingResult,
)
from memory.text import digest

logger = logging.getLogger(__name__)
T = TypeVar("T")

PAUSES_S = (0.0, 5.0, 30.0)
"""Before a piece is asked again: at once, as there are other workers; then a cluster whose head is
gone has time to be there again. What has broken so many workers breaks every other."""
LARGEST = 128
"""Conversations of one piece: what a worker decodes together."""
GENERATED: TypeAdapter[Generated] = TypeAdapter(Generated)
OBSTACLES: TypeAdapter[list[str | None]] = TypeAdapter(list[str | None])
MEASURED: TypeAdapter[list[Foreseen]] = TypeAdapter(list[Foreseen])
ALIGNED: TypeAdapter[list[float]] = TypeAdapter(list[float])


class Spread(GeneratingTrainer):
    """Implements `GeneratingTrainer` over one that does `width` things at once."""

    def __init__(
        self,
        trainer: GeneratingTrainer,
        width: int,
        pieces: Pieces,
        turns: Turns | None = None,
    ) -> None:
        """`width` is into how many pieces something is split; as many have a `turn` by default."""
        self._trainer, self._width, self._pieces = trainer, width, pieces
        self._turns = turns or Turns(width)

    @property
    def parameters(self) -> int | None:
        """Size of the base model, once it is known."""
        return self._trainer.parameters

    async def start(self) -> None:
        """Have the base loaded; raises `TrainerError`."""
        await self._trainer.start()

    async def close(self) -> None:
        """End all who work."""
        await self._trainer.close()

    def beside(self) -> GeneratingTrainer | None:
        """Return what leaves one worker to the training.

        It splits in larger pieces, which cost less: what it is asked for is not waited for yet.
        """
        return self._aside

    @cached_property
    def _aside(self) -> Spread | None:
        """One for all who ask: two would leave no worker."""
        if self._turns.most == 1:
            return None
        others = Turns(self._turns.most - 1, within=self._turns)
        return Spread(self._trainer, max(1, self._width // 2), self._pieces, others)

    async def train(
        self,
        job: TrainingJob,
        timeout_s: float,
        on_step: OnStep | None = None,
        spent: Spent | None = None,
    ) -> TrainingResult:
        """Run a job; see `Trainer.train`. Its adapter is the same whoever does it."""
        said = job.model_dump(mode="json", exclude={"output_dir", "parent"})
        name = await self._pieces.named(job.parent, "train", said)
        if (known := await self._pieces.trained(name, job)) is not None:
            return known
        found = await self._tried(
            lambda left_s: self._trainer.train(job, left_s, on_step, spent), timeout_s
        )
        await self._pieces.keep_trained(name, found)
        return found

    async def timed(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_new_tokens: int,
        timeout_s: float,
        on_step: OnStep | None = None,
        draw: Draw | None = None,
    ) -> Generated:
        """See `GeneratingTrainer.timed`; the seconds are those of all workers, summed."""
        shares = shared_out(conversations, self._width)
        telling = _Telling(len(conversations), on_step)
        drawn = draw.model_dump() if draw else None

        async def piece(number: int, some: list[Conversation]) -> Generated:
            async def ask(left_s: float) -> Generated:
                how = max_new_tokens, left_s, telling.of(number), draw
                return await self._trainer.timed(some, adapter_path, *how)

            said = adapter_path, "generate", _said(some), max_new_tokens, drawn
            return await self._once(said, GENERATED, ask, timeout_s)

        found = await at_once(
            piece(number, [conversations[i] for i in share]) for number, share in enumerate(shares)
        )
        return _joined(found, shares)

    async def check(
        self, conversations: Sequence[Conversation], timeout_s: float
    ) -> list[str | None]:
        """Return for every conversation why it cannot be learned, None where it can."""
        said = None, "check", _said(conversations)
        ask = lambda left_s: self._trainer.check(conversations, left_s)  # noqa: E731
        return await self._once(said, OBSTACLES, ask, timeout_s)

    async def measure(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_tokens: int,
        timeout_s: float,
    ) -> list[Foreseen]:
        """Return how well every conversation is foreseen."""
        shares = shared_out(conversations, self._width)

        async def piece(some: list[Conversation]) -> list[Foreseen]:
            said = adapter_path, "measure", _said(some), max_tokens
            ask = lambda left_s: self._trainer.measure(some, adapter_path, max_tokens, left_s)  # noqa: E731
            return await self._once(said, MEASURED, ask, timeout_s)

        found = await at_once(piece([conversations[i] for i in share]) for share in shares)
        return _in_order(found, shares)

    async def align(
        self,
        conversations: Sequence[Conversation],
        reference: Sequence[int],
        max_tokens: int,
        timeout_s: float,
    ) -> list[float]:
        """Return how far each would help the others; one piece, as each is held to their mean."""
        said = None, "align", _said(conversations), list(reference), max_tokens
        how = conversations, reference, max_tokens
        ask = lambda left_s: self._trainer.align(*how, left_s)  # noqa: E731
        return await self._once(said, ALIGNED, ask, timeout_s)

    async def _once(
        self,
        said: tuple[str | None, *tuple[Any, ...]],
        kind: TypeAdapter[T],
        ask: Callable[[float], Awaitable[T]],
        timeout_s: float,
    ) -> T:
        """Ask for a piece that was not found before; `said` begins with an adapter's folder."""
        name = await self._pieces.named(*said)
        if (known := await self._pieces.found(name, kind)) is not None:
            return known
        outcome = await self._tried(ask, timeout_s)
        await self._pieces.keep(name, kind, outcome)
        return outcome

    async def _tried(self, ask: Callable[[float], Awaitable[T]], timeout_s: float) -> T:
        """Have a worker do a piece when it is its turn, and another one where that is lost."""
        now = asyncio.get_running_loop().time
        deadline = now() + timeout_s
        async with self._turns.one():
            for pause_s in PAUSES_S:
                try:
                    return await ask(deadline - now())
                except TrainerLostError as error:
                    if now() + pause_s >= deadline:
                        raise
                    logger.warning("a piece of the generation is asked again: %s", error)
                    await asyncio.sleep(pause_s)
            return await ask(deadline - now())


class Turns:
    """How many pieces are done at once, of all or `within` others' turns."""

    def __init__(self, most: int, within: Turns | None = None) -> None:
        self.most, self._within = most, within
        self._free = asyncio.Semaphore(most)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, and take it."""
        async with self._free, self._within.one() if self._within else nullcontext():
            yield


class _Telling:
    """Tells of the steps of pieces as of those of one."""

    def __init__(self, total: int, on_step: OnStep | None) -> None:
        self._total, self._on_step = total, on_step
        self._done: dict[int, int] = {}

    def of(self, number: int) -> OnStep:
        """Return what one piece tells of itself."""

        def tell(done: int, total: int, loss: float | None) -> None:
            self._done[number] = done
            if self._on_step is not None:
                self._on_step(sum(self._done.values()), self._total, loss)

        return tell


def shared_out(conversations: Sequence[Conversation], width: int) -> list[list[int]]:
    """Return the places of conversations in shares, equal ones in one share, `LARGEST` at most.

    Each share is dealt out of all of them, so that all take about the same time.
    """
    groups: dict[str, list[int]] = {}
    for place, each in enumerate(conversations):
        groups.setdefault(each.model_dump_json(), []).append(place)
    n = min(len(groups), max(width, math.ceil(len(conversations) / LARGEST)))
    dealt = [[*groups.values()][first::n] for first in range(n)]
    return [sorted(chain.from_iterable(some)) for some in dealt]


def _said(conversations: Sequence[Conversation]) -> str:
    return digest([each.model_dump(mode="json") for each in conversations])


def _in_order(found: Sequence[Sequence[T]], shares: Sequence[Sequence[int]]) -> list[T]:
    """Return what was found of shares in the order of the places."""
    by_place = {
        place: each
        for share, some in zip(shares, found, strict=True)
        for place, each in zip(share, some, strict=True)
    }
    return [by_place[place] for place in sorted(by_place)]


def _joined(found: Sequence[Generated], shares: Sequence[Sequence[int]]) -> Generated:
    if not found:
        return NOTHING
    return Generated(
        texts=tuple(_in_order([each.texts for each in found], shares)),
        whole=tuple(_in_order([each.whole for each in found], shares)),
        tokens=sum(each.tokens for each in found),
        seconds=sum(each.seconds for each in found),
    )
