"""The account of how an answer came about.

`Report` is the wire form of the `adaptation` object of a response, so its names are public
(docs/reference/report.md is made of them).
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
    """The leader is as sure to be the most frequent answer as was asked for."""
    CERTAIN = "certain"
    """No sample still to come in this round could change the leader."""
    EXHAUSTED = "exhausted"
    """All samples are in, or four free texts that all differ."""
    BUDGET = "budget"
    """The tokens ran out."""
    DEADLINE = "deadline"
    """The time ran out."""
    SINGLE = "single"
    """There was one sample, or the first one was sure enough."""
    FUTILE = "futile"
    """More samples would gain less than they cost."""
    VERIFIED = "verified"
    """An answer passed the request's verifiers, and no other was needed."""
    REMEMBERED = "remembered"
    """Nothing was sampled: the answer was verified for this very question before."""
    FAILED = "failed"
    """The engine failed what was still to be drawn; of what had finished, the best is served."""


class AnswerCount(Frozen):
    """One answer and how many samples gave it."""

    answer: str | None
    """The answer; a sample without one counts alone, as null."""
    count: int
    """How many samples gave it."""
    instructions: tuple[int, ...] | None = None
    """Which configured instructions they had been given, 0 for none; left out without any."""
    weight: float | None = None
    """What its votes weigh together; left out where every vote weighs the same."""

    @model_serializer(mode="wrap")
    def _leave_out(self, serialise: SerializerFunctionWrapHandler) -> dict[str, object]:
        fields: dict[str, object] = serialise(self)
        return {k: v for k, v in fields.items() if k in ("answer", "count") or v is not None}


class SampleCounts(Frozen):
    """How many samples were started, and what became of them."""

    started: int = 0
    """Samples that were begun."""
    finished: int = 0
    """Samples that came to their end."""
    cancelled: int = 0
    """Samples that were ended early: the vote was decided, or they were cut."""
    cut: int = 0
    """Of the cancelled ones, stragglers: prose that went on long after half of the vote."""


class TokenCounts(Frozen):
    """Where every generated token went; `training` counts tokens trained on, not generated."""

    returned: int = 0
    """Tokens of the text that is returned."""
    losing: int = 0
    """Tokens of all other samples, and of what a strategy asked besides."""
    cancelled: int = 0
    """Tokens of samples that were ended early."""
    training: int = 0
    """Tokens trained on."""

    @property
    def generated(self) -> int:
        """Tokens the engine generated for the request."""
        return self.returned + self.losing + self.cancelled


class NeighbourReport(Frozen):
    """A recalled record, by id."""

    id: str
    """The record."""
    similarity: float
    """Cosine of its question and this one."""


class ScopeReport(Frozen):
    """Whether a question lies near what the tenant's distilled adapter learned from."""

    champion: str
    """The adapter's version."""
    within: bool
    """Whether the adapter answered; else the base did."""
    nearest: NeighbourReport | None = None
    """The most similar of the records that the adapter learned from."""
    reason: str | None = None
    """Why that could not be told."""


class ReleaseReport(Frozen):
    """A trial of a candidate that the answer belongs to."""

    candidate: str
    """The version on trial."""
    arm: Literal["candidate", "control"]
    """Whether the candidate answered, or (`control`) what is served otherwise."""
    stage: Literal["shadow", "share", "all"] = "share"
    """How far the trial is. In the shadow the candidate may answer as well, unseen; at `all` it is
    the champion, and the control is what was served before."""


class AdapterReport(Frozen):
    """What test-time training did."""

    id: str | None
    """The adapter; null where none was made."""
    parent: str | None
    """The distilled version that training began from; null for the base."""
    steps: int
    """Optimiser steps that were taken."""
    loss: tuple[float, ...]
    """Training loss of the first and the last step, nats per target token."""
    holdout_loss: tuple[float, ...]
    """Held-out neighbours' loss before and after, nats per target token."""
    accepted: bool
    """Whether the gate let it answer."""
    reason: str
    """Why, or why not."""


class MemoryReport(Frozen):
    """What was saved of this answer."""

    saved: str | None
    """The record that the answer was saved as, or confirmed; null where nothing was saved."""
    state: State | None
    """The state of that record."""
    reason: str
    """Why it was saved, or was not."""
    reused: str | None = None
    """The record that the answer was taken from, where `stop_reason` is `remembered`."""


class VerifierReport(Frozen):
    """One verifier's word on the returned answer."""

    type: str
    """Which verifier."""
    passed: bool
    """Whether the answer passed."""
    detail: str
    """What was found."""


class Step(Frozen):
    """Something that a strategy did besides voting; steps within it are its children."""

    kind: Literal["critique", "note", "question", "round", "score"]
    """What was done: `critique`, `note`, `question`, `round` or `score`."""
    text: str
    """What was said."""
    answer: str | None = None
    """The answer that it is about, or came to."""
    passed: bool | None = None
    """Whether that passed a check; null where there was nothing to check it by."""
    children: tuple[Step, ...] = ()
    """Steps within this one."""


class Baseline(Frozen):
    """What the vote on the model as it is served came to, where another strategy went on."""

    answer: str | None
    """The answer of that vote."""
    same: bool
    """Whether the answer that is returned is the same."""
    passed: bool | None = None
    """Whether it passed the request's verifiers; null without verifiers, or where one is silent."""


class FirstSample(Frozen):
    """The first sample of a vote, and whether the vote came to the same."""

    confidence: float
    """Its confidence, from the probabilities of its tokens (the lowest tenth of its passages)."""
    won: bool
    """Whether the vote came to the same answer."""


class Report(Frozen):
    """The `adaptation` object of a response; absent parts are null."""

    strategy: Strategy
    """What was done; never `auto`, which becomes what it chose."""
    requested: Strategy
    """What was asked for."""
    effort: str | None = None
    """The `reasoning_effort` that asked for it; null where the request asked otherwise, or where
    that effort stands for nothing."""
    stop_reason: StopReason
    """Why sampling ended: see below."""
    answer: str | None = None
    """The answer as read out of the returned text; null for `plain`, and for free texts that
    differ."""
    agreement: float | None = None
    """Share of the counted samples that gave it."""
    confidence: float | None = None
    """Probability that the most-voted answer is the most frequent one, not that it is right."""
    votes: tuple[AnswerCount, ...] | None = None
    """The answers, most votes first."""
    first_sample: FirstSample | None = None
    """The first sample; null for `plain`, and for free texts that differ."""
    samples: SampleCounts = SampleCounts()
    """How many samples there were."""
    tokens: TokenCounts = TokenCounts()
    """All that was generated, and trained on."""
    neighbours: tuple[NeighbourReport, ...] | None = None
    """The records trained on, held out or shown; null without any."""
    nearest: NeighbourReport | None = None
    """The record most like the question, however far; null where memory was not looked into, or is
    empty."""
    scope: ScopeReport | None = None
    """Whether the question lies near what the distilled adapter learned from; null where none is
    served, or one answers every question."""
    release: ReleaseReport | None = None
    """The trial of a candidate; null where none is tried, or the question is out of its scope."""
    adapter: AdapterReport | None = None
    """What test-time training did; null without training."""
    verification: tuple[VerifierReport, ...] | None = None
    """What each verifier said of the returned answer; null without verifiers."""
    steps: tuple[Step, ...] | None = None
    """What the strategy did besides voting, in order; null where it only voted."""
    baseline: Baseline | None = None
    """The vote that another strategy went on after; null where none did."""
    novelty: float | None = None
    """Mean share of the steps of a sample's rationale that no sample before it had. Near 0, the
    samples say one thing in the same words; null where one was drawn."""
    memory: MemoryReport | None = None
    """What was saved of the answer; null for `plain`."""
    seconds: Mapping[str, float] = Field(default_factory=dict)
    """Seconds of each step that was taken: `retrieve` (neighbours, or what is remembered),
    `select`, `queue`, `train`, `hand_off`, `judge` (the adapter answers what is held out),
    `sample`, `score` (a reward model), `verify`, `remember` (saving)."""
    reason: str | None = None
    """Why a lighter strategy than the one asked for was used; null otherwise."""

    def after(self, earlier: Report) -> Report:
        """Return this report with what an earlier turn of the same request cost."""
        before = earlier.tokens.model_dump()
        tokens = {name: count + before[name] for name, count in self.tokens.model_dump().items()}
        return self.model_copy(update={"tokens": TokenCounts(**tokens)})
