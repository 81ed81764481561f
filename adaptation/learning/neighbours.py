"""Which recalled records to train on, which to be judged by, and as which conversations.

Pure: numpy and the domain types. Knows nothing of the index they came from or the trainer they
go to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptation.conversation import Conversation
from memory.identity.prompt import spelled
from memory.lines.calls import turn_of
from memory.text import folded
from memory.types import TIERS_THAT_TRAIN, Message, Neighbour, Record

Floats = NDArray[np.float32] | NDArray[np.float64]

RESERVE = 12
"""Neighbours that an adapter may be asked beyond those held out, where they say too little."""
SIFT_NOISE = 0.01
"""λ: the larger, the more redundancy is tolerated."""


@dataclass(frozen=True)
class TrainingSet:
    """What a job learns from and is judged by."""

    train: tuple[Neighbour, ...]
    """In the order SIFT picked them."""
    holdout: tuple[Neighbour, ...]
    reserve: tuple[Neighbour, ...] = ()
    """The closest of those that were not chosen: more to be judged by, where that is needed."""


def select_training_set(
    candidates: Sequence[Neighbour],
    *,
    count: int = 18,
    holdout: int = 2,
    min_similarity: float = 0.3,
    noise: float = SIFT_NOISE,
) -> TrainingSet:
    """Pick up to `count` diverse, informative neighbours and hold out up to `holdout` of them.

    An answer without a solution is learned from only where too few worked solutions are near.
    """
    eligible = trainable(candidates, min_similarity)
    worked = [neighbour for neighbour in eligible if not is_bare(neighbour.record)]
    eligible = worked if len(worked) >= count else eligible
    if not eligible:
        return TrainingSet((), ())
    similarities = np.array([neighbour.similarity for neighbour in eligible])
    embeddings = np.stack([neighbour.embedding for neighbour in eligible])
    picks = sift(similarities, embeddings, count, noise)
    chosen = [eligible[pick] for pick in picks]
    train, held_out = hold_out(chosen, holdout)
    return TrainingSet(train, held_out, _reserve(eligible, chosen))


def trainable(candidates: Sequence[Neighbour], min_similarity: float) -> list[Neighbour]:
    """Close candidates of a tier that may reach weights, one for each question.

    Of two that ask the same, the stronger tier stays, then the closer.
    """
    close = [
        candidate
        for candidate in candidates
        if candidate.record.tier in TIERS_THAT_TRAIN and candidate.similarity >= min_similarity
    ]
    close.sort(key=lambda c: (-c.record.tier.strength, -c.similarity, c.record.id))
    first = {spelled(candidate.record.question): candidate for candidate in reversed(close)}
    return sorted(first.values(), key=lambda c: (-c.similarity, c.record.id))


def is_bare(record: Record) -> bool:
    """Whether nothing but the answer is known, as after a correction without a rationale."""
    return spelled(record.rationale) == spelled(record.answer)


def sift(similarities: Floats, candidates: Floats, count: int, noise: float) -> list[int]:
    """Indices of up to `count` candidates, in the order they are picked.

    All are unit vectors; `similarities` (N,) are those of the `candidates` (N, d) to the query.

    SIFT (Hübotter et al. 2024, arXiv 2410.08020) without repeats: greedily minimise
        σ²(q | X) = k(q,q) − k_X(q)ᵀ (K_XX + λI)⁻¹ k_X(q),   k(a,b) = a·b.
    Observing x lowers it by cov(x,q)² / (var(x) + λ); each pick adds one row of the Cholesky
    factor, which updates every candidate's variance and covariance in O(N).
    """
    points = candidates.astype(np.float64)  # (N, d)
    variance = np.einsum("nd,nd->n", points, points)  # (N,)
    covariance = similarities.astype(np.float64)  # (N,) with the query
    rows = np.zeros((min(count, len(points)), len(points)))  # (picks, N)
    picks: list[int] = []
    for row in rows:
        gain = covariance**2 / (variance + noise)
        gain[picks] = -np.inf
        best = int(gain.argmax())
        scale = math.sqrt(variance[best] + noise)
        row[:] = (points @ points[best] - rows[: len(picks)].T @ rows[: len(picks), best]) / scale
        variance = np.maximum(variance - row**2, 0.0)
        covariance = covariance - covariance[best] / scale * row
        picks.append(best)
    return picks


def hold_out(
    chosen: Sequence[Neighbour], count: int
) -> tuple[tuple[Neighbour, ...], tuple[Neighbour, ...]]:
    """Split into (train, held out): close ones are held out, the very closest is learned from.

    Of the chosen by similarity, the second, the fourth and so on go; never more than a third,
    though one of two.
    """
    count = min(count, max(len(chosen) // 3, int(len(chosen) == 2)))
    closest_first = sorted(chosen, key=lambda n: (-n.similarity, n.record.id))
    out = closest_first[1 : 2 * count : 2]
    asked = {folded(neighbour.record.question) for neighbour in out}  # nor in other letters
    return tuple(n for n in chosen if folded(n.record.question) not in asked), tuple(out)


def _reserve(eligible: Sequence[Neighbour], chosen: Sequence[Neighbour]) -> tuple[Neighbour, ...]:
    """The closest that were not chosen and ask nothing that was."""
    asked = {folded(neighbour.record.question) for neighbour in chosen}
    others = [n for n in eligible if folded(n.record.question) not in asked]
    return tuple(others[:RESERVE])


def plain(records: Sequence[Record]) -> list[Conversation]:
    """Every record as it was: its conversation, then its verified solution."""
    return [
        Conversation(messages=(*record.messages, _solution(record)), request=record.request)
        for record in records
    ]


def as_asked(record: Record) -> Conversation:
    """Return a record's conversation without its solution."""
    return Conversation(messages=record.messages, request=record.request)


def training_conversations(neighbours: Sequence[Neighbour]) -> tuple[Conversation, ...]:
    """The conversations of a `TrainingJob`."""
    return tuple(plain([neighbour.record for neighbour in neighbours]))


def _solution(record: Record) -> Message:
    """Return the turn to learn: calls that people gave are the template's to write."""
    evidence = record.evidence
    if evidence.get("source") == "import" or evidence.get("feedback") == "corrected":
        return turn_of(record.rationale)
    return Message(role="assistant", content=record.rationale)
