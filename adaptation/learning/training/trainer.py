"""The trainer as adaptation sees it: submit a job, await an adapter.

The real one is a resident process (`process.py`); a fake that trains nothing and says so lies
beside it (`fake.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import Field

from adaptation.conversation import Conversation
from adaptation.learning.training.refusals import Refusal
from memory.types import Frozen

OnStep = Callable[[int, int, float | None], None]
"""(steps done, steps at most, training loss)"""


class Recipe(Frozen):
    """How a LoRA is trained."""

    rank: int = Field(default=8, ge=1, le=64)
    """α = rank: in-place α/r scaling corrupts aliased tensors upstream."""
    learning_rate: float = Field(default=3e-4, gt=0, le=1)
    steps: int = Field(default=8, ge=1)
    """At most; training stops earlier when the held-out loss rises or the loss is memorised."""
    schedule: Literal["constant", "triangle"] = "triangle"
    """`triangle` rises over the first quarter of the steps and falls to nearly 0 over the rest."""
    batch_size: int = Field(default=16, ge=1)
    """Conversations per step."""
    clip_norm: float = Field(default=1.0, gt=0)
    min_loss: float = Field(default=0.01, ge=0)
    """Stop below this training loss, nats per target token: what follows is memorisation. Worked
    solutions are mostly foreseeable tokens, so their loss is small from the start."""
    max_tokens: int = Field(default=2048, ge=16)
    """Longer conversations lose their oldest turns."""
    seed: int = 0


class Served(Frozen):
    """A prompt, and the tokens that the server made of it for the engine."""

    conversation: Conversation
    token_ids: tuple[int, ...]
    neighbours: tuple[Served, ...] = ()
    """The prompts of the neighbours that are learned, as served: they may have other forms."""


class TrainingJob(Frozen):
    """Conversations to learn from and to be judged on.

    A conversation ends with the assistant turn to be learned. Earlier assistant turns are
    demonstrations and carry loss as well.
    """

    conversations: tuple[Conversation, ...] = Field(min_length=1)
    holdout: tuple[Conversation, ...] = ()
    recipe: Recipe = Recipe()
    output_dir: str
    """An existing, empty folder the PEFT files are written to."""
    parent: str | None = None
    """Folder of the adapter to start from; None starts from the base (B = 0)."""
    refusals: tuple[Refusal, ...] = ()
    """What training may not make the model comply with: the result says how far it does."""
    served: Served | None = None
    """What the adapter is for: nothing is trained where the trainer renders it, or a neighbour,
    otherwise."""


class TrainingResult(Frozen):
    """What a finished job measured; losses in nats per target token."""

    path: str
    rank: int
    steps: int
    losses: tuple[float, ...]
    """Training loss before each step, and after the last."""
    holdout_before: tuple[float, ...]
    """One value for each held-out conversation, final assistant turn only."""
    holdout_after: tuple[float, ...]
    tokens: int
    """Tokens trained on, summed over steps (padding not counted)."""
    flops: float
    """Floating-point operations of the steps: 4 · parameters · tokens with a frozen base, where
    tokens that the examples of a batch begin with alike count once."""
    seconds: float
    cut_short: bool = False
    """Whether the time ended it before the recipe did."""
    refusal_shift: float | None = None
    """None without refusals. What refusing lost against complying, in the median: nats a token."""


class Draw(Frozen):
    """Tokens are drawn; the same seed draws the same ones."""

    temperature: float = Field(default=1.0, gt=0)
    seed: int = 0
    first: int = Field(default=0, ge=0)
    """How many replies to each prompt were drawn before: what comes is what would have followed, or
    another draw where the family is not known."""


class Foreseen(Frozen):
    """How well the turns to learn of one conversation are foreseen, token by token."""

    tokens: int
    """Tokens that carry loss."""
    loss: float
    """Sum of their losses, in nats."""
    right: int
    """Tokens that were the likeliest in their places."""


class Generated(Frozen):
    """Replies, and what they took."""

    texts: tuple[str, ...]
    whole: tuple[bool, ...]
    """Which of them ended by themselves; the others are cut off, and nothing to end a turn with."""
    tokens: int
    """Tokens of all replies, without those that end a turn."""
    seconds: float


NOTHING = Generated(texts=(), whole=(), tokens=0, seconds=0.0)
"""What comes of no prompts."""


class Standing(Frozen):
    """How many trainers there are, where they are actors of a cluster."""

    kind: Literal["standing"] = "standing"
    actors: int
    """That can train now."""
    most: int
    problem: str | None = None
    """Why there is none."""


@dataclass
class Spent:
    """What a training has taken so far, whatever becomes of it."""

    steps: int = 0
    tokens: int = 0


class Trainer(Protocol):
    """Adapts the base model on a job's conversations."""

    @property
    def status(self) -> str:
        """`ready`, or what keeps it from training."""
        ...

    @property
    def parameters(self) -> int | None:
        """Return the parameters of the base model, once they are known."""
        ...

    @property
    def device_bytes(self) -> int | None:
        """What the base takes of an accelerator's memory; None on a CPU, or while not known."""
        ...

    @property
    def standing(self) -> Standing | None:
        """How many actors do the work; None where a process does, or while there is none."""
        ...

    async def train(
        self,
        job: TrainingJob,
        timeout_s: float,
        on_step: OnStep | None = None,
        spent: Spent | None = None,
    ) -> TrainingResult:
        """Run `job`, beside others; raises `TrainerError` when it dies, diverges or outlasts
        `timeout_s`, and `NoTurnError` where too many wait. `spent` is kept true after every step.
        """
        ...

    async def close(self) -> None:
        """End the trainer."""
        ...


class GeneratingTrainer(Protocol):
    """A trainer that also decodes; what derives from it, as `ProcessTrainer`, has `generate`."""

    @property
    def parameters(self) -> int | None:
        """Size of the base model."""
        ...

    async def start(self) -> None:
        """Load the base model."""
        ...

    def beside(self) -> GeneratingTrainer | None:
        """Return what can be asked while a training runs without slowing it; None where none can.

        What is asked of it takes turns with what is asked of this one.
        """
        return None

    async def train(
        self,
        job: TrainingJob,
        timeout_s: float,
        on_step: OnStep | None = None,
        spent: Spent | None = None,
    ) -> TrainingResult:
        """Run a job; see `Trainer.train`."""
        ...

    async def generate(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_new_tokens: int,
        timeout_s: float,
        on_step: OnStep | None = None,
        draw: Draw | None = None,
    ) -> list[str]:
        """Return the texts alone of what `timed` returns."""
        limits = max_new_tokens, timeout_s
        return list((await self.timed(conversations, adapter_path, *limits, on_step, draw)).texts)

    async def timed(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_new_tokens: int,
        timeout_s: float,
        on_step: OnStep | None = None,
        draw: Draw | None = None,
    ) -> Generated:
        """Continue every conversation, greedily or by a draw, and tell how long that took.

        It does so under the adapter in a folder, or as the bare base.
        """
        ...

    async def check(
        self, conversations: Sequence[Conversation], timeout_s: float
    ) -> list[str | None]:
        """Return for every conversation why it cannot be learned, None where it can."""
        ...

    async def measure(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_tokens: int,
        timeout_s: float,
    ) -> list[Foreseen]:
        """Return how well every conversation is foreseen."""
        ...

    async def align(
        self,
        conversations: Sequence[Conversation],
        reference: Sequence[int],
        max_tokens: int,
        timeout_s: float,
    ) -> list[float]:
        """Return for every conversation how far learning it would help those at the places of
        `reference`: the cosine of its gradient with their mean one, its own left out.
        """
        ...

    async def close(self) -> None:
        """End the trainer."""
        ...
