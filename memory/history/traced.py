"""What a trace tells beside the report of its answer: the samples, and when which step went on.

Plain values, made where the answer is, read where a trace is written
(`memory.history.request_traces`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SampleState = Literal["returned", "losing", "cancelled", "failed"]
"""What became of a sample; a losing one finished and is not returned."""


@dataclass(frozen=True)
class TracedSample:
    """One sample; seconds are counted from the start of the request."""

    number: int
    """Counted from 1, in the order of the draws."""
    text: str
    """As far as it came."""
    answer: str | None
    """As it was read; None where it was not counted, or says nothing."""
    key: str | None
    """By which it was counted: samples with the same key agree."""
    tokens: int
    began_s: float
    seconds: float
    state: SampleState
    end: str | None
    """Why it ended: the engine's reason, or what failed."""


@dataclass(frozen=True)
class Span:
    """A step that went on for a while; steps may overlap."""

    step: str
    began_s: float
    seconds: float


@dataclass(frozen=True)
class Traced:
    """One request."""

    seconds: float
    """From its first step to its answer."""
    samples: tuple[TracedSample, ...] = ()
    spans: tuple[Span, ...] = ()
    losses: tuple[float, ...] = ()
    """Training loss before each step and after the last, nats per target token."""
