"""What the trainer process and its parent say to each other: one JSON object a line.

A request gets its id when it is its turn; 0 is none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from adaptation.conversation import Conversation
from adaptation.learning.training.trainer import (
    Draw,
    Foreseen,
    Generated,
    Standing,
    TrainingJob,
    TrainingResult,
)
from memory.types import Frozen


class Train(Frozen):
    """Run a job; no step is begun that would probably end after `soft_s`."""

    op: Literal["train"] = "train"
    id: int = 0
    job: TrainingJob
    soft_s: float = 0.0


class Generate(Frozen):
    """Continue every conversation: greedily, or by a draw."""

    op: Literal["generate"] = "generate"
    id: int = 0
    conversations: tuple[Conversation, ...]
    adapter: str | None
    max_new_tokens: int
    draw: Draw | None = None


class Check(Frozen):
    """Say which conversations cannot be learned."""

    op: Literal["check"] = "check"
    id: int = 0
    conversations: tuple[Conversation, ...]


class Measure(Frozen):
    """Say how well every conversation's turns are foreseen."""

    op: Literal["measure"] = "measure"
    id: int = 0
    conversations: tuple[Conversation, ...]
    adapter: str | None
    max_tokens: int


class Align(Frozen):
    """Say how far learning each conversation would help those at the places of the reference."""

    op: Literal["align"] = "align"
    id: int = 0
    conversations: tuple[Conversation, ...]
    reference: tuple[int, ...]
    max_tokens: int


class Cancel(Frozen):
    """Give request `id` up at the next step."""

    op: Literal["cancel"] = "cancel"
    id: int


class Ready(Frozen):
    """The base is loaded."""

    kind: Literal["ready"] = "ready"
    parameters: int
    device: str
    device_bytes: int | None = None
    """What the base takes of the device's own memory; None on a CPU, where it is the process's."""


class Step(Frozen):
    """Request `id` has come so far."""

    kind: Literal["step"] = "step"
    id: int
    done: int
    total: int
    loss: float | None = None
    tokens: int = 0
    """Trained on so far."""


class Done(Frozen):
    """Request `id` is finished."""

    kind: Literal["done"] = "done"
    id: int
    result: TrainingResult | None = None
    generated: Generated | None = None
    obstacles: tuple[str | None, ...] | None = None
    """For each conversation, why it cannot be learned."""
    measured: tuple[Foreseen, ...] | None = None
    aligned: tuple[float, ...] | None = None


class Failed(Frozen):
    """Request `id` failed; without an id, the process cannot start."""

    kind: Literal["failed"] = "failed"
    id: int | None
    error: str
    is_lost: bool = False
    """Whether who was to do it has died or was not there: see `TrainerLostError`."""


Work = Train | Generate | Check | Measure | Align
Request = Annotated[Work | Cancel, Field(discriminator="op")]
Reply = Annotated[Ready | Standing | Step | Done | Failed, Field(discriminator="kind")]

REQUEST: TypeAdapter[Work | Cancel] = TypeAdapter(Request)
REPLY: TypeAdapter[Ready | Standing | Step | Done | Failed] = TypeAdapter(Reply)
