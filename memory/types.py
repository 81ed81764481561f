"""The domain types of the memory: frozen values that flow through every package above it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from memory.history.traced import Traced


class Frozen(BaseModel):
    """An immutable value that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Given(Frozen):
    """What a client gives: a null is as if its key were absent, as at OpenAI."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: each for key, each in value.items() if each is not None}


class Message(Frozen):
    """One turn of a conversation: text, and what of it is not text."""

    role: str
    content: str
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    """The assistant's, as OpenAI has them."""
    tool_call_id: str | None = None
    """The call whose result a `tool` turn brings."""
    name: str | None = None
    reasoning: str | None = None
    """What the assistant thought before this turn, where it is told again."""

    @model_serializer
    def turn(self) -> dict[str, Any]:
        """Return the turn as a chat template takes it, without what it does not have."""
        given: dict[str, Any] = {"role": self.role, "content": self.content}
        given |= {"tool_calls": list(self.tool_calls), "tool_call_id": self.tool_call_id}
        given |= {"name": self.name, "reasoning": self.reasoning}
        return {key: value for key, value in given.items() if value not in (None, [])}


class State(StrEnum):
    """Where a record stands in its life; only `ACTIVE` records are ever recalled."""

    PENDING = "pending"
    ACTIVE = "active"
    QUARANTINED = "quarantined"
    EXPIRED = "expired"
    ERASED = "erased"


class Tier(StrEnum):
    """How an answer was verified, strongest first."""

    EXECUTABLE = "executable"
    CORROBORATED = "corroborated"
    FEEDBACK = "feedback"
    IMPORTED = "imported"
    VOTE = "vote"

    @property
    def strength(self) -> int:
        """Higher is stronger; used to settle conflicts between records of one question."""
        return len(Tier) - list(Tier).index(self)


TIERS_THAT_TRAIN = frozenset({Tier.EXECUTABLE, Tier.CORROBORATED, Tier.FEEDBACK, Tier.IMPORTED})
"""Tiers whose records may reach weights; a bare vote may be recalled but never trained on
(prolonged majority-label training collapses: arXiv 2505.21444)."""


class Source(StrEnum):
    """Where the question of a record is from, the most real first."""

    SERVED = "served"
    """Somebody asked it here."""
    IMPORTED = "import"
    """A file brought it; the evidence says which, under which licence."""
    ENVIRONMENT = "environment"
    """A generator drew it, whose own scorer judged the answer."""
    SELF_PLAY = "self-play"
    """The model posed it to itself, as hard as it could just solve."""
    SYNTHETIC = "synthetic"
    """The model wrote it after questions of the tenant's."""

    @property
    def is_real(self) -> bool:
        """Whether people, and neither a generator nor the model, asked it."""
        return self in (Source.SERVED, Source.IMPORTED)

    @property
    def is_written_by_model(self) -> bool:
        """Whether the model wrote the question."""
        return self in (Source.SELF_PLAY, Source.SYNTHETIC)

    def more_real(self, other: Source) -> Source:
        """Return the more real of two: what people ask as well is no longer practice alone."""
        return min(self, other, key=list(Source).index)

    def less_real(self, other: Source) -> Source:
        """Return the less real of two: a file may claim less than that it is one, never more."""
        return max(self, other, key=list(Source).index)


class Draft(Frozen):
    """A verified success on its way into memory, before it has an id."""

    tenant: str
    task: str | None = None
    messages: tuple[Message, ...] = Field(min_length=1)
    """The conversation up to and including the question, without the answer."""
    request: Mapping[str, Any] = Field(default_factory=dict)
    """What else makes the prompt, such as `tools`: see `memory.identity.prompt`."""
    answer: str
    rationale: str
    """The full assistant text that led to the answer, as it was or should be served."""
    tier: Tier
    source: Source = Source.SERVED
    evidence: Mapping[str, Any] = Field(default_factory=dict)
    confidence: float = Field(default=1.0, ge=0.0, le=1.0)
    model: str = ""
    adapter: str | None = None


class Record(Draft):
    """A row of long-term memory."""

    id: str
    state: State
    uses: int = 0
    wins: int = 0
    created_at: datetime

    @property
    def question(self) -> str:
        """The last user turn: what is embedded and compared."""
        return question_of(self.messages)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A recalled record with its cosine similarity to the question."""

    record: Record
    similarity: float
    embedding: np.ndarray
    """Unit vector, float32, shape (d,)."""


class Saved(Frozen):
    """What happened to a draft."""

    record: Record
    """The one it became, or that says the same."""
    created: bool
    reason: str
    fingerprint: str
    """Fingerprint of its question."""


class Retirement(Frozen):
    """The end of an adapter version."""

    at: datetime
    reason: str
    replaced_by: str | None = None
    """The version that was trained in its place, without what was erased."""


class AdapterVersion(Frozen):
    """A content-hashed, immutable LoRA in the registry."""

    id: str
    tenant: str
    base_model: str
    path: str
    parent: str | None
    rank: int
    created_at: datetime
    metrics: Mapping[str, Any]
    record_ids: tuple[str, ...] = ()
    """Lineage: the records this adapter learned from."""
    rejected: str | None = None
    """Why the gate refused it; such a version is never promoted."""
    retired: Retirement | None = None
    """Set where its weights were deleted, as it learned from what was erased since."""
    number: int | None = None
    """Which of its tenant's generations on its base, from 1; None for a fine-tuned model."""


class PastVote(Frozen):
    """How the votes of one request fell, without their answers."""

    leader: int
    """Votes of the answer that had most; likewise below."""
    runner_up: int
    rest: int
    """Votes of all other answers together."""
    trained: bool = False
    """Whether they were drawn through an adapter trained for the request."""
    near: str | None = None
    """The record whose question is most like the one voted on, where there is a close one."""


class Trial(Frozen):
    """One answer by one strategy, and what is known of its worth."""

    strategy: str
    source: Literal["request", "shadow", "evaluation"] = "request"
    near: str | None = None
    """The record whose question is most like the one asked, where there is a close one."""
    right: bool | None = None
    """None while nobody has said; likewise below."""
    baseline: bool | None = None
    """Whether the vote on the model as it is served was right."""
    same: bool | None = None
    """Whether that vote came to the same answer; None where there was none beside."""
    tokens: int = 0
    trained_tokens: int = 0
    seconds: float = 0.0
    at: float = Field(default_factory=time.time)
    """Unix seconds."""


class Completion(Frozen):
    """What was answered, kept so that later feedback can find it."""

    id: str
    tenant: str
    messages: tuple[Message, ...]
    request: Mapping[str, Any] = Field(default_factory=dict)
    """What else made the prompt."""
    text: str
    answer: str | None
    model: str = ""
    adapter: str | None = None
    task: str | None = None
    record_id: str | None = None
    vote: PastVote | None = None
    report: Mapping[str, Any] | None = None
    """What the answer's response said of how it came about."""
    trial: Trial | None = None
    """For the ledger; not read again with the completion."""
    tried: tuple[Trial, ...] = ()
    """Of other strategies that were tried; likewise."""
    traced: Traced | None = None
    """For its trace; likewise."""
    created_at: datetime | None = None
    metadata: Mapping[str, str] | None = None
    """What the client noted with its request."""
    conversation: str | None = None
    """The prompt's fingerprint where it was too long to keep: then there are no messages."""

    @property
    def trials(self) -> list[tuple[str, str, Trial]]:
        """The tenant, the id and each trial, for the ledger."""
        own = () if self.trial is None else (self.trial,)
        return [(self.tenant, self.id, each) for each in (*own, *self.tried)]


def question_of(messages: tuple[Message, ...]) -> str:
    """Return the last user turn, or the last turn where nobody is called user."""
    for message in reversed(messages):
        if message.role == "user":
            return message.content
    return messages[-1].content if messages else ""
