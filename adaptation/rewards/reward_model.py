"""A reward model as adaptation sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adaptation.errors import AdaptationError
from adaptation.types import Query, Sample


class RewardError(AdaptationError):
    """The reward model died, was late, or gave something that is no number."""


CONFIDENCE, REWARDS = "how sure each sample was of its own tokens", "the reward model"


@dataclass(frozen=True)
class Scores:
    """What samples are worth."""

    values: list[float]
    """From 0 to 1, of each."""
    by: str
    """What judged them: `CONFIDENCE` or `REWARDS`."""
    reason: str | None = None
    """Why the reward model was left out, where there is one."""


class RewardModel(Protocol):
    """Says how good replies are."""

    async def scores(self, query: Query, samples: Sequence[Sample]) -> list[float]:
        """Return a score from 0 to 1 for each sample; raises `RewardError`."""
        ...
