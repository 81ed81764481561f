"""Samples that say word for word what an earlier one said, from where on that had no choice left.

The earlier one's log-probabilities say how likely the rest of it is after the words that both have.
Where that is all but certain, the rest is not generated again: the sample counts as the earlier one
does. So of `SURE` votes at least are what they would have been, and no text is returned that has
not been generated whole. Only samples that were counted before another began are looked at: what
is cut off depends on what was sampled, and not on which sample happened to be faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adaptation.types import Draw, Query, Sample

SURE = 0.99
"""Probability of all that is left together."""
HOTTEST = 1.0
"""The highest temperature at which a sample is no freer than its log-probabilities say."""


@dataclass(frozen=True)
class Ended:
    """A whole sample, and how it came to its end."""

    sample: Sample
    certain_from: int
    """Tokens after which the rest was certain."""

    def foretells(self, sample: Sample) -> bool:
        """Whether an unfinished sample is surely going to say the same."""
        is_beside = self.sample.chars.get(sample.n_tokens) == len(sample.text)
        is_certain = sample.n_tokens >= self.certain_from
        return is_beside and is_certain and self.sample.text.startswith(sample.text)


class Foregone:
    """What the samples of one request foretell of those that follow."""

    def __init__(self, query: Query) -> None:
        # Of several choices the second may be one that was cut off, and is to be another text.
        self._is_off = query.is_bent or query.choices > 1
        self._temperature = query.options.temperature
        self._draws: dict[int, Draw] = {}
        self._ended: list[Ended] = []

    @property
    def is_possible(self) -> bool:
        """Whether samples of the request, as hot as it is asked, may foretell others."""
        return not self._is_off and self._temperature <= HOTTEST

    def begun(self, draw: Draw) -> Sequence[Ended]:
        """Return what foretells a sample that begins now."""
        self._draws[draw.index] = draw
        if self._is_off or draw.temperature is None or draw.temperature > HOTTEST:
            return ()
        return [each for each in self._ended if _is_alike(self._draws[each.sample.index], draw)]

    def counted(self, sample: Sample) -> None:
        """Have a whole sample foretell those that begin after it."""
        place = certain_from(sample.logprobs)
        is_whole = sample.finish_reason == "stop" and sample.n_tokens in sample.chars
        if is_whole and len(sample.logprobs) == sample.n_tokens > place:
            self._ended.append(Ended(sample, place))


def foregone(sample: Sample, ended: Sequence[Ended]) -> Sample | None:
    """Return an unfinished sample with the end that it will come to; None where nobody knows."""
    for each in ended:
        if each.foretells(sample):
            return replace(each.sample, index=sample.index, chars={})  # nobody looked at its own
    return None


def certain_from(logprobs: Sequence[float]) -> int:
    """Return after how many tokens the rest had the probability `SURE` together.

    All of them where the numbers are no log-probabilities.
    """
    place, left = len(logprobs), 0.0
    while place and math.log(SURE) <= left + logprobs[place - 1] and logprobs[place - 1] <= 0:
        place -= 1
        left += logprobs[place]
    return place


def _is_alike(one: Draw, other: Draw) -> bool:
    """Whether two draws ask the same of the same model."""
    asked = one.prompt is other.prompt and one.is_aside == other.is_aside
    return asked and one.adapter == other.adapter and one.temperature == other.temperature
