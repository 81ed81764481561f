"""Fine-tuning by judgements: preferences by DPO, grades by GRPO, both by TRL in its own process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adaptation.conversation import Conversation
from adaptation.grading.errors import Fault
from adaptation.grading.grade import Graded, grade
from adaptation.grading.judge import Asking
from adaptation.grading.outcome import Grade, sample_of
from adaptation.learning.finetuning.tuning import Checkpoint
from adaptation.learning.preference import messages
from adaptation.learning.preference.examples import GradedPrompt, Pair, read_graded, read_pair
from adaptation.learning.preference.hyperparameters import (
    DpoHyperparameters,
    ReinforcementHyperparameters,
)
from adaptation.learning.preference.training import dpo, reinforcement
from server.finetuning.asking import asking
from server.finetuning.job import FineTuningJob, M
from server.jobs.kind import JobFailedError

RANK = 16
FIGURES = {"loss": "train_loss", "eval_loss": "valid_loss"}
"""TRL's names of what OpenAI has names for; the others keep theirs."""
FOLDER = "trl"
TRIED = "Hello."
"""An answer by which a grader is tried."""


class Judged(FineTuningJob[M]):
    """What both methods share: the process's words become checkpoints and events."""

    def order(self, parent: str | None) -> dict[str, Any]:
        """Return what any order says."""
        asked = self.asked
        return {
            "model": asked.folder,
            "folder": self.work.folder / FOLDER,
            "parent": None if parent is None else Path(parent),
            "template": asked.template,
            "seed": asked.seed,
            "rank": RANK,
            "most_tokens": asked.max_model_len,
            "device": self.work.settings.trainer_device,
        }

    async def followed(self, hearing: Hearing, done: messages.Trained) -> tuple[Checkpoint, Path]:
        """Return the last checkpoint, once all are named."""
        await hearing.settle()
        self.chosen(done.hyperparameters)
        last = hearing.of(done.steps).model_copy(update={"tokens": done.tokens})
        return last, done.folder


class Hearing:
    """Hears what the process says, and has its checkpoints named one after the other."""

    def __init__(self, job: Judged[Any]) -> None:
        self._job, self._turn = job, asyncio.Lock()
        self._naming: list[asyncio.Task[None]] = []
        self._figures: dict[str, float] = {}

    def measured(self, step: int, total: int, figures: dict[str, float]) -> None:
        """Tell of what was measured after a step."""
        named = {FIGURES.get(name, name): value for name, value in figures.items()}
        self._figures |= named
        self._job.told(step, total, named)

    def checkpoint(self, found: messages.Checkpoint) -> None:
        """Have a checkpoint named."""
        made = self.of(found.step)
        self._naming.append(asyncio.create_task(self._named(made, found.folder)))

    def of(self, step: int) -> Checkpoint:
        """Return the checkpoint of a step with what was measured last."""
        known = {name: self._figures.get(name) for name in FIGURES.values()}
        return Checkpoint(epoch=0, step=step, tokens=0, rank=RANK, **known)

    async def settle(self) -> None:
        """Wait until all checkpoints are named; raises what kept one from it."""
        await asyncio.gather(*self._naming)

    async def _named(self, made: Checkpoint, folder: Path) -> None:
        async with self._turn:
            await self._job.checkpoint(made, folder)


class Preferences(Judged[Pair]):
    """Examples of two answers, one of which is preferred (DPO)."""

    def read(self, line: dict[str, Any]) -> Pair:
        """Return the two answers of a line."""
        return read_pair(line)

    def rendered(self, example: Pair) -> tuple[Conversation, ...]:
        """Return both answers."""
        return example.preferred, example.other

    def learned(self, example: Pair) -> tuple[Conversation, ...]:
        """Return the answer that is preferred."""
        return (example.preferred,)

    async def learn(
        self, training: Sequence[Pair], validation: Sequence[Pair], parent: str | None
    ) -> tuple[Checkpoint, Path]:
        """Learn what is preferred."""
        asked = self.asked.hyperparameters
        assert isinstance(asked, DpoHyperparameters)
        order = messages.PreferenceOrder(
            pairs=tuple(training),
            held_out=tuple(validation),
            hyperparameters=asked,
            **self.order(parent),
        )
        hearing = Hearing(self)
        done = await dpo(order, hearing.measured, hearing.checkpoint)
        return await self.followed(hearing, done)


class Rewards(Judged[GradedPrompt]):
    """Answers are drawn, and what the grader rewards is learned (GRPO)."""

    _asking: Asking | None = None
    _has_told = False
    """Whether an answer that could not be graded was told of: the first is enough."""

    def read(self, line: dict[str, Any]) -> GradedPrompt:
        """Return the prompt of a line, and the line as the grader's `item`."""
        asked = self.asked.hyperparameters
        assert isinstance(asked, ReinforcementHyperparameters)
        effort = asked.reasoning_effort
        return read_graded(line, None if effort == "default" else effort)

    def rendered(self, example: GradedPrompt) -> tuple[Conversation, ...]:
        """Return nothing: a prompt alone is no conversation to learn."""
        return ()

    async def learn(
        self,
        training: Sequence[GradedPrompt],
        validation: Sequence[GradedPrompt],
        parent: str | None,
    ) -> tuple[Checkpoint, Path]:
        """Learn what is rewarded."""
        asked = self.asked.hyperparameters
        assert isinstance(asked, ReinforcementHyperparameters)
        await self._try(training[0])
        order = messages.ReinforcementOrder(
            prompts=tuple(training),
            held_out=tuple(validation),
            hyperparameters=asked,
            **self.order(parent),
        )
        hearing = Hearing(self)
        done = await reinforcement(order, self._grade, hearing.measured, hearing.checkpoint)
        return await self.followed(hearing, done)

    async def _try(self, first: GradedPrompt) -> None:
        """Raise `JobFailedError` where the grader's model cannot be asked: nothing would earn."""
        found = await self._graded(TRIED, first.item)
        if (told := found.faults.get(Fault.MODEL_SERVER)) is not None:
            raise JobFailedError(f"the grader's model cannot be asked: {told}")

    async def _grade(self, text: str, item: Mapping[str, Any]) -> float:
        """Return what the grader gives; an answer that it cannot grade earns nothing."""
        found = await self._graded(text, item)
        if found.faults and not self._has_told:
            self._has_told = True
            told = "; ".join(found.faults.values())
            self.work.tell(f"An answer could not be graded, and earns nothing: {told}", "warn")
        return found.score

    async def _graded(self, text: str, item: Mapping[str, Any]) -> Grade:
        if self._asking is None:
            self._asking = asking(self.work)
        return await grade(self.asked.grader, Graded(sample_of(text), item, self._asking))
