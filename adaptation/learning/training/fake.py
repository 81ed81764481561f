"""A trainer for tests: trains nothing and says so, deterministically.

Script it with results and errors; without a script every job succeeds on paper.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from adaptation.conversation import Conversation
from adaptation.errors import TrainerError
from adaptation.learning.training.adapter_files import WEIGHTS, write_config
from adaptation.learning.training.trainer import (
    Draw,
    Foreseen,
    Generated,
    GeneratingTrainer,
    OnStep,
    Spent,
    Standing,
    TrainingJob,
    TrainingResult,
)
from memory.types import Message

TOKENS = 10
"""Tokens of a step."""
Continue = Callable[[tuple[Message, ...], str | None], str]
"""(turns, adapter folder) → the assistant's text"""


class FakeTrainer:
    """Writes an adapter of zeros and reports losses that fall, unless its script says otherwise."""

    def __init__(
        self,
        script: Iterable[TrainingResult | Exception] = (),
        answer: Continue = lambda turns, adapter: "I am a fake: nothing was learned.",
        obstacle: Callable[[Conversation], str | None] = lambda conversation: None,
    ) -> None:
        self.jobs: list[TrainingJob] = []
        self.status = "ready"
        self.parameters = 1_000_000
        self.device_bytes: int | None = None
        self.standing: Standing | None = None
        self.closed = False
        self.started = asyncio.Event()
        """Set when a job has begun."""
        self.let_go = asyncio.Event()
        """Clear it to hold jobs until it is set."""
        self.let_go.set()
        self._script = list(script)
        self._answer = answer
        self._obstacle = obstacle

    async def start(self) -> None:
        """Do nothing: there is nothing to load."""

    def beside(self) -> GeneratingTrainer | None:
        """Have nobody beside."""
        return None

    async def train(
        self,
        job: TrainingJob,
        timeout_s: float,
        on_step: OnStep | None = None,
        spent: Spent | None = None,
    ) -> TrainingResult:
        """Pretend to run `job`; what the script holds next is returned or raised.

        While it is held it has taken one step.
        """
        self.jobs.append(job)
        self.started.set()
        if spent is not None:
            spent.steps, spent.tokens = 1, TOKENS
        try:
            async with asyncio.timeout(timeout_s):
                await self.let_go.wait()
        except TimeoutError as error:
            raise TrainerError("the train request outlasted its time") from error
        outcome = self._script.pop(0) if self._script else pretend(job)
        if isinstance(outcome, Exception):
            raise outcome
        if spent is not None:
            spent.steps, spent.tokens = outcome.steps, outcome.tokens
        if on_step is not None:
            on_step(outcome.steps, outcome.steps, outcome.losses[-1])
        write_zeros(Path(job.output_dir), job.recipe.rank)
        return outcome.model_copy(update={"path": job.output_dir})

    async def generate(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_new_tokens: int,
        timeout_s: float,
        on_step: OnStep | None = None,
        draw: Draw | None = None,
    ) -> list[str]:
        """What the injected function says."""
        if on_step is not None:
            on_step(len(conversations), len(conversations), None)
        return [self._answer(asked.messages, adapter_path) for asked in conversations]

    async def timed(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_new_tokens: int,
        timeout_s: float,
        on_step: OnStep | None = None,
        draw: Draw | None = None,
    ) -> Generated:
        """A word is a token, and takes a hundredth of a second."""
        limits = max_new_tokens, timeout_s
        texts = await self.generate(conversations, adapter_path, *limits, on_step, draw)
        tokens = sum(len(text.split()) for text in texts)
        whole = tuple(len(text.split()) < max_new_tokens for text in texts)
        return Generated(texts=tuple(texts), whole=whole, tokens=tokens, seconds=tokens / 100)

    async def check(
        self, conversations: Sequence[Conversation], timeout_s: float
    ) -> list[str | None]:
        """What the injected function objects to."""
        return [self._obstacle(conversation) for conversation in conversations]

    async def measure(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_tokens: int,
        timeout_s: float,
    ) -> list[Foreseen]:
        """Four tokens each, two of them foreseen; all of them under an adapter."""
        right = 2 if adapter_path is None else 4
        return [Foreseen(tokens=4, loss=4.0 - right, right=right) for _ in conversations]

    async def align(
        self,
        conversations: Sequence[Conversation],
        reference: Sequence[int],
        max_tokens: int,
        timeout_s: float,
    ) -> list[float]:
        """The later a conversation comes, the less it helps."""
        return [1 / (1 + place) for place in range(len(conversations))]

    async def close(self) -> None:
        """Do nothing: there is nothing to end."""
        self.closed = True


def pretend(job: TrainingJob) -> TrainingResult:
    """The losses of a job that goes well."""
    steps = job.recipe.steps
    return TrainingResult(
        path=job.output_dir,
        rank=job.recipe.rank,
        steps=steps,
        losses=tuple(1.0 / (step + 1) for step in range(steps + 1)),
        holdout_before=(1.0,) * len(job.holdout),
        holdout_after=(0.5,) * len(job.holdout),
        tokens=TOKENS * steps,
        flops=0.0,
        seconds=0.0,
    )


def write_zeros(folder: Path, rank: int) -> None:
    """A small valid adapter that changes nothing."""
    write_config(folder, rank=rank, base_model="fake", modules=["q_proj"])
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    a, b = np.zeros((rank, 4), np.float32), np.zeros((4, rank), np.float32)
    tensors = {f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
