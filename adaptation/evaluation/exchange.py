"""What an arm asks of the server under evaluation, and what comes back. Knows no client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaptation.options import Strategy
from adaptation.report import FirstSample

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Reply:
    """One response: the texts of its choices, and what they cost."""

    texts: tuple[str, ...]
    prompt_tokens: int
    generated_tokens: int
    training_tokens: int
    seconds: float
    samples: int
    fallback: str | None
    retried: int
    first_sample: FirstSample | None = None


NO_REPLY = Reply((), 0, 0, 0, 0.0, samples=0, fallback=None, retried=0)
"""Where no server was asked."""


@dataclass(frozen=True)
class Request:
    """What is asked; `strategy` and `adaptation` reach only a server that is Whet."""

    messages: Messages
    temperature: float
    seed: int
    max_tokens: int
    n: int = 1
    tools: Sequence[Mapping[str, Any]] = ()
    strategy: Strategy = Strategy.PLAIN
    adaptation: Mapping[str, Any] | None = None
