"""What an arm is: it is given a question and returns what is to be judged, and its cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from adaptation.evaluation.exchange import Reply, Request
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.suite import Suite

if TYPE_CHECKING:  # the names of arms are told without what asks and what remembers
    from adaptation.evaluation.examples import Library
    from adaptation.evaluation.target import Target


@dataclass(frozen=True)
class Settings:
    """What is equal for all questions of a run."""

    votes: int = 16
    """Samples of a fixed vote, and the most that `consistency` may draw."""
    temperature: float = 1.0
    """Temperature of every arm that samples."""
    max_tokens: int = 512
    """Most tokens of one sample."""


@dataclass(frozen=True)
class Question:
    """One question with all that an arm may need to answer it."""

    problem: Solved
    suite: Suite
    target: Target
    library: Library | None
    """None where no arm of the run needs examples."""
    task: str
    """Under which the server's memory keeps the examples of this world."""
    settings: Settings
    seed: int

    def request(self, **changes: object) -> Request:
        """The plain question, asked once, with some things changed."""
        fields: dict[str, object] = {
            "messages": [{"role": "user", "content": self.problem.question}],
            "temperature": self.settings.temperature,
            "seed": self.seed,
            "max_tokens": self.settings.max_tokens,
            "tools": self.problem.tools,
        }
        return Request(**(fields | changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Outcome:
    """What is judged, and the reply it stands in; no reply where no server was asked."""

    judged: str
    reply: Reply | None = None
    seen: tuple[str, ...] = field(default=())
    """All samples, where the client saw several."""


class Arm(Protocol):
    """A way to get an answer."""

    @property
    def needs_whet(self) -> bool:
        """Whether only Whet can do it."""
        ...

    @property
    def needs_examples(self) -> bool:
        """Whether it learns from solved examples; such an arm says nothing about guards."""
        ...

    async def answer(self, question: Question) -> Outcome:
        """Get an answer; raises `EvaluationError`."""
        ...
