"""What the process that has TRL and its parent say to each other: one JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from adaptation.learning.preference.examples import GradedPrompt, Pair
from adaptation.learning.preference.hyperparameters import (
    DpoHyperparameters,
    ReinforcementHyperparameters,
)
from adaptation.learning.training.chat import Template
from memory.types import Frozen


class _Order(Frozen):
    """What is trained, whatever the method."""

    model: str
    """The folder of the base, or its name on a hub; nothing is downloaded."""
    folder: Path
    """Folder of this training alone: adapters, and checkpoints to go on from after a kill."""
    parent: Path | None = None
    """The adapter that is trained further, and is the reference; its rank is kept."""
    template: Template = Template()
    seed: int = 0
    rank: int = 16
    most_tokens: int = 4096
    """Most tokens of prompt and answer together; a longer example is refused, never cut."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:1`, …; `auto`: the first CUDA device where there is one."""


class PreferenceOrder(_Order):
    """Learn which of two answers is preferred."""

    method: Literal["dpo"] = "dpo"
    pairs: tuple[Pair, ...]
    held_out: tuple[Pair, ...] = ()
    hyperparameters: DpoHyperparameters = DpoHyperparameters()


class ReinforcementOrder(_Order):
    """Learn what the grader rewards."""

    method: Literal["reinforcement"] = "reinforcement"
    prompts: tuple[GradedPrompt, ...]
    held_out: tuple[GradedPrompt, ...] = ()
    hyperparameters: ReinforcementHyperparameters = ReinforcementHyperparameters()
    answer_tokens: int = 512
    """Most tokens of one answer."""


class Grades(Frozen):
    """The grades that were asked for, in the order of the answers."""

    scores: tuple[float, ...]


class Measured(Frozen):
    """What was measured after a step, by TRL's names; of held-out examples with `eval_`."""

    kind: Literal["measured"] = "measured"
    step: int
    total: int
    figures: dict[str, float]


class Answered(Frozen):
    """Answers that want a grade; the process waits for `Grades`."""

    kind: Literal["answered"] = "answered"
    answers: tuple[str, ...]
    numbers: tuple[int, ...]
    """Numbers of their prompts, from 0; those held out come after the others."""


class Checkpoint(Frozen):
    """An adapter was written at the end of an epoch."""

    kind: Literal["checkpoint"] = "checkpoint"
    step: int
    folder: Path


class Trained(Frozen):
    """It is done; the last checkpoint is the result."""

    kind: Literal["trained"] = "trained"
    folder: Path
    steps: int
    tokens: int
    """That were learned from."""
    parameters: int
    """Parameters of the base."""
    hyperparameters: DpoHyperparameters | ReinforcementHyperparameters
    """With numbers in the place of `auto`."""
    learning_rate: float
    checkpoints: tuple[Checkpoint, ...] = ()


class Refused(Frozen):
    """It cannot be trained, for a reason that lies in what was given."""

    kind: Literal["refused"] = "refused"
    error: str


Order = PreferenceOrder | ReinforcementOrder
Reply = Measured | Answered | Checkpoint | Trained | Refused
ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="method")])
REPLY: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="kind")])
