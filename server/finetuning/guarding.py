"""What a fine-tuning may not lose: questions near its examples, and far ones, as of a distillation.

They are asked before and after. Here nothing is refused: what was found is told with the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adaptation.conversation import Conversation
from adaptation.learning.distillation.far import far_probes
from adaptation.learning.distillation.guarding import (
    Asked,
    Guard,
    ask_after,
    ask_before,
    objections,
)
from adaptation.learning.distillation.judging import Ask
from adaptation.learning.distillation.near import near_probes
from adaptation.learning.distillation.telling import guards_told
from adaptation.learning.distillation.vetting import Drawing, ask_drawn
from memory.identity.answers import extract
from memory.identity.answers.options import AnswerOptions
from memory.types import Record, question_of
from memory.versions.standing import OBJECTIONS


@dataclass(frozen=True)
class Example:
    """What near guards are drawn from."""

    question: str
    answer: str


def examples_of(conversations: Iterable[Conversation]) -> Iterator[Example]:
    """Yield the last question and answer of each."""
    for conversation in conversations:
        said = conversation.messages[-1].content
        found = extract(said, AnswerOptions())
        yield Example(question_of(conversation.messages), found.text if found else said)


@dataclass(frozen=True)
class Found:
    """How near and far guards fared."""

    near: Asked
    far: Asked

    @property
    def objections(self) -> tuple[str, ...]:
        """What would keep a distilled candidate from promotion."""
        return objections(self.near, self.far)

    @property
    def told(self) -> dict[str, Any]:
        """For the version's metrics and the job's result, as of a generation."""
        far, near = guards_told(self.far), guards_told(self.near)
        assert far is not None
        assert near is not None
        return {
            "guards": far.model_dump(mode="json"),
            "near_guards": near.model_dump(mode="json"),
            OBJECTIONS: list(self.objections),
        }

    @property
    def words(self) -> str:
        """For a person."""
        if self.objections:
            return f"The model lost what it knew before: {'; '.join(self.objections)}"
        far, near = self.far.outcome, self.near.outcome
        counts = f"{len(far.lost)} of {far.before} everyday questions"
        close = f" and {len(near.lost)} of {near.before} near the examples" if near.before else ""
        return f"What the model knew before is kept: it lost {counts}{close}, no more than it may"


@dataclass
class Guarding:
    """Asks what is known before a training, and again what is left of it."""

    ask: Ask
    draw: Drawing
    far: Sequence[Guard] = field(default_factory=far_probes)
    _before: Mapping[str, Mapping[Guard, str]] = field(default_factory=dict)

    async def before(self, served: str | None) -> None:
        """Ask the base, or what is tuned further."""
        near = await ask_drawn(self.ask, self.draw, served)
        far = await ask_before(self.ask, self.far, served, "far")
        self._before = {"near": near, "far": far}

    async def after(self, candidate: str) -> Found:
        """Ask the new model."""
        near = await ask_after(self.ask, self._before["near"], candidate, "near")
        far = await ask_after(self.ask, self._before["far"], candidate, "far")
        return Found(near, far)


def near_guards(learned: Sequence[Example], own: Iterable[Record], seed: int) -> Sequence[Guard]:
    """Draw questions near the examples; of `own` records those that are near."""
    return near_probes(learned, own, seed) if learned else ()
