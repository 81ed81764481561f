"""One sample of a request, as its trace tells of it."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.types import Sample


@dataclass(frozen=True)
class Drawn:
    """What became of one sample; moments are monotonic seconds."""

    index: int
    sample: Sample | None
    """As far as it came."""
    tokens: int
    began: float
    ended: float
    is_finished: bool
