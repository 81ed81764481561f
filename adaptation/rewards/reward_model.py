"""A reward model as adaptation sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from adaptation.errors import AdaptationError
from adaptation.types import Query, Sample


class RewardError(AdaptationError):
    """The reward model died, was late, or gave something that is no number."""


class RewardModel(Protocol):
    """Says how good replies are."""

    async def scores(self, query: Query, samples: Sequence[Sample]) -> list[float]:
        """Return a score from 0 to 1 for each sample; raises `RewardError`."""
        ...
