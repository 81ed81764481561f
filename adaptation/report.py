"""The account of how an answer came about.

`Report` is the wire form of the `adaptation` object of a response, so its names are public (see
README.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from adaptation.options import Strategy
from memory.types import Frozen, State


class StopReason(StrEnum):
    """Why sampling ended."""

    CONFIDENT = "confident"
    CERTAIN = "certain"
    EXHAUSTED = "exhausted"
    BUDGET = "budget"
    DEADLINE = "deadline"
    SINGLE = "single"
    FUTILE = "futile"
    VERIFIED = "verified"
    """An answer passed the request's verifiers: no other was needed."""
    REMEMBERED = "remembered"
    """Nothing was sampled: the answer was verified for this very question before."""
    FAILED = "failed"
    """The engine failed what was still to be drawn; of what had finished, the best is served."""


class AnswerCount(Frozen):
    """One answer and how many samples gave it."""

    answer: str | None
    count: int
    instructions: tuple[int, ...] | None = None
    """Which instructions they had been given, 0 for none; left out where there is only that."""
    weight: float | None = None
    """Of all its votes together; left out where every vote weighs the same."""

    @model_serializer(mode="wrap")
    def _leave_out(self, serialise: SerializerFunctionWrapHandler) -> dict[str, object]:
        fields: dict[str, object] = serialise(self)
        return {k: v for k, v in fields.items() if k in ("answer", "count") or v is not None}


class SampleCounts(Frozen):
    """How many samples were started, and what became of them."""

    started: int = 0
    finished: int = 0
    cancelled: int = 0


class TokenCounts(Frozen):
    """Where every generated token went; `training` counts tokens trained on, not generated."""

    returned: int = 0
    losing: int = 0
    cancelled: int = 0
    training: int = 0

    @property
    def generated(self) -> int:
        """Tokens the engine generated for the request."""
        return self.returned + self.losing + self.cancelled


class NeighbourReport(Frozen):
    """A recalled record, by id."""

    id: str
    similarity: float


class ScopeReport(Frozen):
    """Whether a question lies near what the tenant's distilled adapter learned from."""

    champion: str
    """The adapter's version."""
    within: bool
    """Whether it was answered through the adapter; else by the model as it came."""
    nearest: NeighbourReport | None = None
    """Of the records that the adapter learned from."""
    reason: str | None = None
    """Why that could not be told."""


class ReleaseReport(Frozen):
    """A trial of a candidate that the answer belongs to."""

    candidate: str
    """The version on trial."""
    arm: Literal["candidate", "control"]
    """Whether it answered, or what is served otherwise."""
    stage: Literal["shadow", "share", "all"] = "share"
    """In the shadow it may answer as well, unseen; at `all` it is the champion, and the control
    what was served before."""


class AdapterReport(Frozen):
    """What test-time training did."""

    id: str | None
    parent: str | None
    steps: int
    loss: tuple[float, ...]
    """Training loss of the first and the last step, nats per target token."""
    holdout_loss: tuple[float, ...]
    """Held-out neighbours' loss before and after, nats per target token."""
    accepted: bool
    reason: str


class MemoryReport(Frozen):
    """What was saved of this answer."""

    saved: str | None
    state: State | None
    reason: str
    reused: str | None = None
    """The record that the answer was taken from."""


class VerifierReport(Frozen):
    """One verifier's word on the returned answer."""

    type: str
    passed: bool
    detail: str


class Step(Frozen):
    """Something that a strategy did besides voting; steps within it are its children."""

    kind: Literal["critique", "note", "question", "round", "score"]
    text: str
    answer: str | None = None
    passed: bool | None = None
    """What was found when it was checked; null where there was nothing to check it by."""
    children: tuple[Step, ...] = ()


class Baseline(Frozen):
    """What the vote on the model as it is served came to, where another strategy went on."""

    answer: str | None
    same: bool
    """Whether the answer that is returned is the same."""
    passed: bool | None = None
    """What the request's verifiers said of it; null without verifiers, or where one is silent."""


class FirstSample(Frozen):
    """The first sample of a vote, and whether the vote came to the same."""

    confidence: float
    """Bottom-10 % group confidence of its tokens' probabilities."""
    won: bool


class Report(Frozen):
    """The `adaptation` object of a response; absent parts are null."""

    strategy: Strategy
    requested: Strategy
    effort: str | None = None
    """The `reasoning_effort` that asked for it, where nothing else did."""
    stop_reason: StopReason
    answer: str | None = None
    agreement: float | None = None
    confidence: float | None = None
    votes: tuple[AnswerCount, ...] | None = None
    first_sample: FirstSample | None = None
    samples: SampleCounts = SampleCounts()
    tokens: TokenCounts = TokenCounts()
    neighbours: tuple[NeighbourReport, ...] | None = None
    nearest: NeighbourReport | None = None
    """The record most like the question, however far; null where memory was not looked into."""
    scope: ScopeReport | None = None
    """Null where no distilled adapter is served, or one answers every question."""
    release: ReleaseReport | None = None
    """Null where no candidate is tried, or the question is out of its scope."""
    adapter: AdapterReport | None = None
    verification: tuple[VerifierReport, ...] | None = None
    steps: tuple[Step, ...] | None = None
    """What was criticised, noted, debated or asked on the way to the answer."""
    baseline: Baseline | None = None
    novelty: float | None = None
    """Mean share of the steps of a sample's rationale that no sample before it had."""
    memory: MemoryReport | None = None
    seconds: Mapping[str, float] = Field(default_factory=dict)
    reason: str | None = None
    """Why a heavier strategy fell back to a lighter one."""

    def after(self, earlier: Report) -> Report:
        """Return this report with what an earlier turn of the same request cost."""
        before = earlier.tokens.model_dump()
        tokens = {name: count + before[name] for name, count in self.tokens.model_dump().items()}
        return self.model_copy(update={"tokens": TokenCounts(**tokens)})
