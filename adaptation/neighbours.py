"""Which recalled records to train on, which to be judged by, and in what form.

Pure: numpy and the domain types. Knows nothing of the index they came from or the trainer they
go to.
"""

from __future__ import annotations

import math
import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory.types import TIERS_THAT_TRAIN, Message, Neighbour, Record

Floats = NDArray[np.float32] | NDArray[np.float64]
Conversation = tuple[Message, ...]

SIFT_NOISE = 0.01
"""λ: the larger, the more redundancy is tolerated."""


@dataclass(frozen=True)
class TrainingSet:
    """What a job learns from and is judged by."""

    train: tuple[Neighbour, ...]
    """In the order SIFT picked them."""
    holdout: tuple[Neighbour, ...]
    sigma: float
    """Posterior standard deviation of the query given all chosen neighbours, in [0, 1]: what the
    neighbours leave unexplained. High means that training on them cannot help much."""


def select_training_set(
    candidates: Sequence[Neighbour],
    *,
    count: int = 18,
    holdout: int = 2,
    min_similarity: float = 0.3,
    noise: float = SIFT_NOISE,
) -> TrainingSet:
    """Pick up to `count` diverse, informative neighbours and hold out up to `holdout` of them."""
    eligible = trainable(candidates, min_similarity)
    if not eligible:
        return TrainingSet((), (), 1.0)
    similarities = np.array([neighbour.similarity for neighbour in eligible])
    embeddings = np.stack([neighbour.embedding for neighbour in eligible])
    picks, sigma = sift(similarities, embeddings, count, noise)
    train, held_out = hold_out([eligible[pick] for pick in picks], holdout)
    return TrainingSet(train, held_out, sigma)


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
    first = {normalised(candidate.record.question): candidate for candidate in reversed(close)}
    return sorted(first.values(), key=lambda c: (-c.similarity, c.record.id))


def normalised(question: str) -> str:
    """A question without case, punctuation at its ends, accents' encoding or spacing."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return re.sub(r"\s+", " ", text).strip(" \t\n.!?")


def sift(
    similarities: Floats, candidates: Floats, count: int, noise: float
) -> tuple[list[int], float]:
    """Indices of up to `count` candidates, and the query's posterior standard deviation.

    All are unit vectors; `similarities` (N,) are those of the `candidates` (N, d) to the query.

    SIFT (Hübotter et al. 2024, arXiv 2410.08020) without repeats: greedily minimise
        σ²(q | X) = k(q,q) − k_X(q)ᵀ (K_XX + λI)⁻¹ k_X(q),   k(a,b) = a·b.
    Observing x lowers it by cov(x,q)² / (var(x) + λ); each pick adds one row of the Cholesky
    factor, which updates every candidate's variance and covariance in O(N).
    """
    points = candidates.astype(np.float64)  # (N, d)
    variance = np.einsum("nd,nd->n", points, points)  # (N,)
    covariance = similarities.astype(np.float64)  # (N,) with the query
    left = 1.0  # variance of the query
    rows = np.zeros((min(count, len(points)), len(points)))  # (picks, N)
    picks: list[int] = []
    for row in rows:
        gain = covariance**2 / (variance + noise)
        gain[picks] = -np.inf
        best = int(gain.argmax())
        scale = math.sqrt(variance[best] + noise)
        weight = covariance[best] / scale
        row[:] = (points @ points[best] - rows[: len(picks)].T @ rows[: len(picks), best]) / scale
        variance = np.maximum(variance - row**2, 0.0)
        covariance = covariance - weight * row
        left -= weight**2
        picks.append(best)
    return picks, math.sqrt(max(left, 0.0))


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
    kept = {neighbour.record.id for neighbour in out}
    return tuple(n for n in chosen if n.record.id not in kept), tuple(out)


def plain(records: Sequence[Record], shots: int = 0, seed: int = 0) -> list[Conversation]:
    """Every record as it was: its conversation, then its verified solution."""
    return [(*record.messages, _solution(record)) for record in records]


def in_context(records: Sequence[Record], shots: int, seed: int) -> list[Conversation]:
    """For every record, a conversation of up to `shots` other records that ends with it.

    The demonstrations are drawn and ordered by `seed`. Akyürek et al. 2024 (arXiv 2411.07279):
    loss on all answers of shuffled demonstrations carried the gain on BBH at 8B.
    """
    shuffler = random.Random(seed)
    conversations: list[Conversation] = []
    for record in records:
        others = [other for other in records if other.id != record.id]
        shown = [*shuffler.sample(others, min(shots, len(others))), record]
        turns = [turn for r in shown for turn in (_question(r), _solution(r))]
        conversations.append((*_system(record), *turns))
    return conversations


FORMATS: dict[str, Callable[[Sequence[Record], int, int], list[Conversation]]] = {
    "plain": plain,
    "in_context": in_context,
}
"""How neighbours become conversations: (records, shots, seed) → conversations."""

DEFAULT_FORMAT = "plain"


def training_conversations(
    neighbours: Sequence[Neighbour], style: str = DEFAULT_FORMAT, shots: int = 3, seed: int = 0
) -> tuple[Conversation, ...]:
    """The conversations of a `TrainingJob`, in one of `FORMATS`."""
    return tuple(FORMATS[style]([neighbour.record for neighbour in neighbours], shots, seed))


def _system(record: Record) -> Conversation:
    return tuple(turn for turn in record.messages[:1] if turn.role == "system")


def _question(record: Record) -> Message:
    return Message(role="user", content=record.question)


def _solution(record: Record) -> Message:
    return Message(role="assistant", content=record.rationale)
