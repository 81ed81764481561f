"""Supervised fine-tuning: an epoch is a training job, and ends with a checkpoint.

What is in the folder when it begins is gone on from: an epoch that has ended is not trained again.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adaptation.conversation import Conversation
from adaptation.learning.finetuning.plan import Plan
from adaptation.learning.training.trainer import Foreseen, GeneratingTrainer, TrainingJob
from memory.types import Frozen

SAMPLE = 64
"""Conversations that the figures of a checkpoint are measured on, but for the full ones."""
TIMEOUT_S = 24 * 3600.0
"""For one epoch."""
STATE = "checkpoint.json"


class Checkpoint(Frozen):
    """An adapter after an epoch, and how well it foresees; losses in nats per token."""

    epoch: int
    """From 1."""
    step: int
    tokens: int
    """Trained on so far."""
    rank: int
    train_loss: float | None = None
    train_mean_token_accuracy: float | None = None
    valid_loss: float | None = None
    valid_mean_token_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_mean_token_accuracy: float | None = None


OnCheckpoint = Callable[[Checkpoint, Path], Awaitable[None]]
OnStep = Callable[[int, float | None], None]
"""(steps so far, loss of the last)"""


@dataclass(frozen=True)
class FineTuning:
    """One fine-tuning, wherever it was left."""

    trainer: GeneratingTrainer
    training: Sequence[Conversation]
    validation: Sequence[Conversation]
    plan: Plan
    folder: Path
    parent: str | None
    """Folder of the adapter that is trained on; None for the base."""
    on_step: OnStep
    on_checkpoint: OnCheckpoint

    async def run(self) -> tuple[Checkpoint, Path]:
        """Train what is left; return the last checkpoint and its adapter.

        `on_checkpoint` may be told of the one that is gone on from a second time.
        """
        last = self._last()
        if last is not None:
            await self.on_checkpoint(last, self._place(last.epoch))
        for epoch in range(last.epoch if last else 0, self.plan.n_epochs):
            last = await self._epoch(epoch, last)
            await self.on_checkpoint(last, self._place(last.epoch))
            shutil.rmtree(self._place(epoch), ignore_errors=True)  # the one before
        assert last is not None
        return last, self._place(last.epoch)

    async def _epoch(self, epoch: int, before: Checkpoint | None) -> Checkpoint:
        working = self.folder / "working"
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
        parent = self.parent if before is None else str(self._place(before.epoch))
        job = TrainingJob(
            conversations=tuple(self.training),
            recipe=self.plan.of_epoch(epoch),
            output_dir=str(working),
            parent=parent,
        )
        first = epoch * self.plan.steps_per_epoch

        def on_step(done: int, total: int, loss: float | None) -> None:
            self.on_step(first + done, loss)

        result = await self.trainer.train(job, TIMEOUT_S, on_step)
        found = Checkpoint(
            epoch=epoch + 1,
            step=first + result.steps,
            tokens=result.tokens + (before.tokens if before else 0),
            rank=result.rank,
            **await self._measured(str(working)),
        )
        (working / STATE).write_text(found.model_dump_json(), "utf-8")
        working.rename(self._place(found.epoch))
        return found

    async def _measured(self, adapter: str) -> dict[str, float]:
        train = await self._foreseen(self.training[:SAMPLE], adapter)
        figures = _figures("train", train)
        if self.validation:
            whole = await self._foreseen(self.validation, adapter)
            figures |= _figures("valid", whole[:SAMPLE]) | _figures("full_valid", whole)
        return figures

    async def _foreseen(self, some: Sequence[Conversation], adapter: str) -> list[Foreseen]:
        limit = self.plan.recipe.max_tokens
        return await self.trainer.measure(some, adapter, limit, TIMEOUT_S)

    def _place(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch}"

    def _last(self) -> Checkpoint | None:
        """Return the checkpoint to go on from, where there is one."""
        states = self.folder.glob(f"epoch-*/{STATE}")
        found = [Checkpoint.model_validate_json(state.read_bytes()) for state in states]
        return max(found, key=lambda each: each.epoch, default=None)


def _figures(name: str, found: Sequence[Foreseen]) -> dict[str, float]:
    tokens = max(1, sum(each.tokens for each in found))
    return {
        f"{name}_loss": sum(each.loss for each in found) / tokens,
        f"{name}_mean_token_accuracy": sum(each.right for each in found) / tokens,
    }
