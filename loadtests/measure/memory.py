"""A large memory, filled quickly, and the exact neighbours to hold it against.

Vectors are a mixture: topics, questions of a topic around it, and phrasings of a question around
that. Vectors drawn evenly from the sphere would have no neighbours worth the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import numpy as np

from memory.embedding.hashing import HashingEmbedder
from memory.inserting import insert_records, store_vectors
from memory.memory import LongTermMemory
from memory.rows import draft_row
from memory.text import digest
from memory.types import Draft, Message, State, Tier

DIM = 384
CHUNK = 10_000
PER_TOPIC, PER_QUESTION = 500, 10
QUESTION_NOISE, PHRASING_NOISE = 0.9, 0.7
"""Beside the length of what they are around: phrasings of a question have a cosine of about 0.8."""
TENANT = "ann"
SUBJECTS = ("invoice", "delivery", "password", "refund", "printer", "backup", "contract", "login")


class GivenVectors(HashingEmbedder):
    """Stands for an embedder whose vectors are there already: its time is not measured."""

    def __init__(self, pool: np.ndarray) -> None:
        super().__init__(DIM)
        self.id = "given"
        self._pool = pool

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return any unit vectors, float32, shape (n, d)."""
        return self._pool[np.arange(len(texts)) % len(self._pool)]


@dataclass(frozen=True)
class Vectors:
    """`n` unit vectors that come in chunks, the same each time, so that no copy need be kept."""

    n: int
    seed: int = 0

    def chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first place, float32 of shape (chunk, d))."""
        topics, questions = self._centres()
        for start in range(0, self.n, CHUNK):
            rng = np.random.default_rng((self.seed, 2, start))
            many = min(CHUNK, self.n - start)
            around = rng.integers(len(questions), size=many)
            middle = topics[questions[around]] + _noise((self.seed, 1), around, QUESTION_NOISE)
            phrasing = rng.standard_normal((many, DIM), np.float32) * PHRASING_NOISE
            yield start, _unit(middle + phrasing)

    def _centres(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, 0))
        n_topics = max(8, self.n // PER_TOPIC)
        topics = rng.standard_normal((n_topics, DIM), np.float32)
        return topics, rng.integers(n_topics, size=max(16, self.n // PER_QUESTION))


def _noise(seed: tuple[int, ...], which: np.ndarray, size: float) -> np.ndarray:
    """Return for each number its own noise, the same whenever it is asked for; from a pool, as a
    generator for each would take longer than all else."""
    pool = np.random.default_rng(seed).standard_normal((4096 + DIM,), np.float32)
    starts = (which * 2_654_435_761) % 4096
    signs = np.where((which // 4096) % 2, 1.0, -1.0).astype(np.float32)
    found: np.ndarray = pool[starts[:, None] + np.arange(DIM)] * signs[:, None] * size
    return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32)


def asked(vectors: Vectors, count: int) -> np.ndarray:
    """Return vectors of questions close to some of the first that are held, shape (count, d)."""
    _, first = next(vectors.chunks())
    rng = np.random.default_rng((vectors.seed, 3))
    near = first[rng.permutation(len(first))[:count]]
    return _unit(near + rng.standard_normal(near.shape, np.float32) * 0.4 / np.sqrt(DIM))


def exact(vectors: Vectors, queries: np.ndarray, k: int) -> list[set[int]]:
    """Return the places of each query's `k` nearest, by looking at all of them."""
    scores = np.empty((len(queries), 0), np.float32)
    places = np.empty((len(queries), 0), np.int64)
    for start, some in vectors.chunks():
        scores = np.hstack([scores, queries @ some.T])
        here = np.broadcast_to(np.arange(start, start + len(some)), (len(queries), len(some)))
        places = np.hstack([places, here])
        best = np.argpartition(-scores, min(k, scores.shape[1]) - 1, axis=1)[:, :k]
        scores = np.take_along_axis(scores, best, 1)
        places = np.take_along_axis(places, best, 1)
    return [set(row.tolist()) for row in places]


def fill(memory: LongTermMemory, vectors: Vectors, progress: Callable[[int], None]) -> None:
    """Give the tenant a record for each vector, by the statements that every record is stored with.

    Rows are made from one pattern: what reading answers costs is part of the import's figure. The
    record at place p is number p + 1 in a database that was empty.
    """
    pattern, random = draft_row(draft(0)), Random(0)
    for start, some in vectors.chunks():
        rows = [_row(pattern, start + place, random) for place in range(len(some))]
        with memory._database.writing(rows[0]["tenant"]) as connection:
            insert_records(connection, rows)
            pairs = ((row["id"], vector) for row, vector in zip(rows, some, strict=True))
            store_vectors(connection, memory.embedder.id, pairs)
        progress(start + len(some))


def question(number: int) -> str:
    """Return a question with words of every day, one of many subjects, and a code of its own."""
    return (
        f"How was the {SUBJECTS[number % len(SUBJECTS)]} of case Q{number * 7919 % 10**7} solved?"
    )


def draft(number: int, tenant: str = TENANT) -> Draft:
    """Return a record to be."""
    return Draft(
        tenant=tenant,
        messages=(Message(role="user", content=question(number)),),
        answer=str(number),
        rationale=f"It took {number} steps.",
        tier=Tier.IMPORTED,
    )


def _row(pattern: dict[str, Any], number: int, random: Random) -> dict[str, Any]:
    text = question(number)
    return pattern | {
        "id": f"rec_{UUID(int=random.getrandbits(128)).hex}",
        "question_hash": digest(["bench", number]),
        "question": text,
        "messages": [{"role": "user", "content": text}],
        "answer": str(number),
        "state": State.ACTIVE,
        "contested": False,
    }
