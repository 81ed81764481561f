"""What the trainer process and its parent say to each other: one JSON object a line."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from adaptation.training.trainer import TrainingJob, TrainingResult
from memory.types import Frozen, Message


class Train(Frozen):
    """Run a job; no step is begun that would probably end after `soft_s`."""

    op: Literal["train"] = "train"
    id: int
    job: TrainingJob
    soft_s: float


class Generate(Frozen):
    """Continue every conversation greedily."""

    op: Literal["generate"] = "generate"
    id: int
    conversations: tuple[tuple[Message, ...], ...]
    adapter: str | None
    max_new_tokens: int


class Cancel(Frozen):
    """Give request `id` up at the next step."""

    op: Literal["cancel"] = "cancel"
    id: int


class Ready(Frozen):
    """The base is loaded."""

    kind: Literal["ready"] = "ready"
    parameters: int
    device: str


class Step(Frozen):
    """Request `id` has come so far."""

    kind: Literal["step"] = "step"
    id: int
    done: int
    total: int
    loss: float | None = None


class Done(Frozen):
    """Request `id` is finished."""

    kind: Literal["done"] = "done"
    id: int
    result: TrainingResult | None = None
    texts: tuple[str, ...] | None = None


class Failed(Frozen):
    """Request `id` failed; without an id, the process cannot start."""

    kind: Literal["failed"] = "failed"
    id: int | None
    error: str


Request = Annotated[Train | Generate | Cancel, Field(discriminator="op")]
Reply = Annotated[Ready | Step | Done | Failed, Field(discriminator="kind")]

REQUEST: TypeAdapter[Train | Generate | Cancel] = TypeAdapter(Request)
REPLY: TypeAdapter[Ready | Step | Done | Failed] = TypeAdapter(Reply)
