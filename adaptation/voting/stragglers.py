"""Stragglers: samples of prose that go on long after half of their vote has ended.

Of reasoning too, the samples that end first vote better than all together (short-m@k, Hassid et al.
2025, arXiv 2505.17813). That is not relied on here: nothing is cut where an answer can be read out
of a sample that has ended, for the longest sample may then be the one that is right. Prose has no
right answer to wait for.

What is cut depends on how many tokens samples have, and not on when they began: where they come
along side by side, a vote with a seed stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf

from adaptation.types import Draw, Query, Sample
from adaptation.voting.reader import read_answer

FACTOR = 4.0
FLOOR_TOKENS = 256
"""Tokens that every sample may have: a greeting of ten says nothing of how long a story is."""
PROSE = frozenset({"auto", "text"})
"""Kinds of answer that may be prose."""


@dataclass
class Peers:
    """Samples that ask the same of the same model, however hot."""

    draw: Draw
    """That of the first."""
    begun: int = 0
    ended: list[Sample] = field(default_factory=list)
    limit: float = inf
    """Tokens beyond which one that still runs is a straggler, if those that ended are prose."""
    has_answer: bool = False
    """Whether an answer was found in one that ended."""

    def are_asked_as(self, draw: Draw) -> bool:
        """Whether a draw is one of them."""
        asked = self.draw.prompt is draw.prompt and self.draw.is_aside == draw.is_aside
        return asked and self.draw.adapter == draw.adapter


class Stragglers:
    """Tells which samples of one request are not worth waiting for."""

    def __init__(self, query: Query, factor: float | None) -> None:
        """A straggler has `factor` times the tokens of the longest that ended; None: none is."""
        self._query = query
        may_be_prose = query.options.answer.kind in PROSE and not query.options.verifiers
        self._factor = factor if may_be_prose else None
        self._peers: list[Peers] = []
        self._of: dict[int, Peers] = {}
        """By draw."""
        self.cut: set[int] = set()
        """Draws that were stragglers."""

    def begun(self, draw: Draw) -> None:
        """Note a sample that begins now."""
        known = (each for each in self._peers if each.are_asked_as(draw))
        peers = next(known, None) or Peers(draw)
        if not peers.begun:
            self._peers.append(peers)
        peers.begun += 1
        self._of[draw.index] = peers
        peers.limit = self._limit(peers)

    def ended(self, sample: Sample) -> None:
        """Note a sample that has ended, and be it because it was cut for another reason."""
        peers = self._of[sample.index]
        peers.ended.append(sample)
        peers.limit = self._limit(peers)

    def _limit(self, peers: Peers) -> float:
        whole = [each.n_tokens for each in peers.ended if each.finish_reason != "length"]
        are_half = 2 * len(peers.ended) >= peers.begun
        is_known = are_half and len(whole) >= self._query.choices
        if self._factor is None or peers.has_answer or not is_known:
            return inf
        return max(FLOOR_TOKENS, self._factor * max(whole))

    def cut_off(self, sample: Sample) -> Sample | None:
        """Return a running sample as `max_tokens` would leave it, where it is a straggler."""
        peers = self._of[sample.index]
        if sample.n_tokens <= peers.limit:
            return None
        peers.has_answer = any(map(self._has_answer, peers.ended))
        if peers.has_answer:
            peers.limit = inf
            return None
        self.cut.add(sample.index)
        return replace(sample, finish_reason="length")

    def _has_answer(self, sample: Sample) -> bool:
        answer = read_answer(self._query, sample)
        return answer is not None and answer.structured
