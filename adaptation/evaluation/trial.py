"""One question under one arm, and what came of it."""

from __future__ import annotations

from adaptation.evaluation.suites.suite import Group
from adaptation.report import FirstSample
from memory.types import Frozen


class Case(Frozen):
    """Which question, under which arm: what a result is found again by."""

    suite: str
    level: int
    world: int
    """Seed of the world; 0 where the suite has none."""
    number: int
    """Place of the question within its suite and world; arms with equal numbers are paired."""
    arm: str


class Trial(Frozen):
    """What an arm answered, and what it cost."""

    case: Case
    group: Group
    question: str
    reply: str
    """The text that was judged; empty where there was none."""
    right: bool
    error: str | None = None
    """Why nothing was judged: never right. Either the server refused the request, or the suite's
    verifier raised."""
    refused: bool = False
    """Whether the server did; such a case is asked again when the run is continued."""
    samples: int = 1
    """How many were drawn."""
    any_right: bool | None = None
    """Whether one of several samples was right (pass@k); None where they were not seen."""
    share_right: float | None = None
    """Share of several samples that were right: the accuracy of one of them."""
    prompt_tokens: int = 0
    generated_tokens: int = 0
    """By the server's own count, the lost votes included."""
    training_tokens: int = 0
    seconds: float = 0.0
    """From the request to the whole response, as the client saw it."""
    fallback: str | None = None
    """Why the server used a lighter strategy than the one asked for."""
    first_sample: FirstSample | None = None
    """How sure the first sample of a vote by Whet was, and whether it won."""
    retried: int = 0
    """Failed requests before this outcome."""
