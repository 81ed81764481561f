"""What a generation has the base, or an adapter on it, do: reply, draw replies, foresee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adaptation.conversation import Conversation
from adaptation.learning.distillation.material import OnProgress
from adaptation.learning.distillation.settings import Settings
from adaptation.learning.training.trainer import (
    Draw,
    Foreseen,
    Generated,
    GeneratingTrainer,
    OnStep,
    Recipe,
)


@dataclass(frozen=True)
class Asking:
    """Asks the trainer, within what the settings allow, and tells how far it is."""

    trainer: GeneratingTrainer
    settings: Settings
    on_progress: OnProgress

    def beside(self) -> Asking | None:
        """Return what asks while a training runs, without slowing it; None where nothing can."""
        trainer = self.trainer.beside()
        return replace(self, trainer=trainer) if trainer is not None else None

    async def generate(
        self, phase: str, prompts: Sequence[Conversation], adapter: str | None
    ) -> list[str]:
        """Have the base, or an adapter on it, reply to prompts."""
        limits = self.settings.max_new_tokens, self.settings.timeout_s
        return await self.trainer.generate(prompts, adapter, *limits, self.progress(phase))

    async def timed(
        self, phase: str, prompts: Sequence[Conversation], adapter: str | None
    ) -> Generated:
        """Return the replies, and how long they took."""
        limits = self.settings.max_new_tokens, self.settings.timeout_s
        return await self.trainer.timed(prompts, adapter, *limits, self.progress(phase))

    async def sample(
        self, phase: str, prompts: Sequence[Conversation], adapter: str | None, first: int
    ) -> list[str]:
        """Return replies drawn the same way every time; `first` replies to each came before."""
        limits = self.settings.max_new_tokens, self.settings.timeout_s
        progress, draw = self.progress(phase), Draw(first=first)
        return await self.trainer.generate(prompts, adapter, *limits, progress, draw=draw)

    async def measure(
        self, conversations: Sequence[Conversation], adapter: str | None
    ) -> list[Foreseen]:
        """Tell how well conversations are foreseen."""
        limits = Recipe().max_tokens, self.settings.timeout_s
        return await self.trainer.measure(conversations, adapter, *limits)

    def progress(self, phase: str) -> OnStep:
        """Return what tells of the steps of a phase."""
        return lambda done, total, loss: self.on_progress(phase, done, total)
