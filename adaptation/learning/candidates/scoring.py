"""Scores of what a generation may learn from.

What depends on a record and the base alone (pass rate, perplexity, length) is found once; what
depends on the other records (novelty, influence) anew for each generation.

Influence is that on other questions to learn, not on those that judge: what is chosen by the
answers that judge it would be judged too well. Both are drawn by one hash, so that questions to
learn, each with itself left out, stand for those that are held out.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptation.learning.candidates.novelty import novelties
from adaptation.learning.neighbours import plain
from adaptation.learning.training.trainer import Draw, Foreseen, GeneratingTrainer, OnStep
from memory.embedding.hashing import HashingEmbedder
from memory.types import Record
from memory.versions.candidates import Candidate, Scores, content_of

DRAWS, TEMPERATURE = 4, 0.8
"""Answers of the base that a pass rate is of."""
MOST_ASKED = 512
"""Records whose pass rate one generation finds: those it is the first to consider."""
REFERENCE = 256
"""Questions whose mean gradient stands for what is to be learned."""
MAX_TOKENS = 2_048
ROOM = 2
"""A drawn answer may be so many times as long as the longest solution."""
FEWEST_TOKENS = 16

Vectors = Callable[[Sequence[Record]], NDArray[np.float32]]
"""Unit vectors of the questions, float32, shape (n, d)."""


@dataclass(frozen=True)
class Known:
    """What of a record depends on nothing but itself and the base."""

    difficulty: float | None
    perplexity: float
    tokens: int


@dataclass(frozen=True)
class Scorer:
    """Finds them."""

    trainer: GeneratingTrainer
    grade: Callable[[str, Record], bool]
    """Whether a reply gives a record's answer."""
    vectors: Vectors
    max_new_tokens: int
    timeout_s: float
    on_step: OnStep

    async def scores(
        self, records: Sequence[Record], before: Mapping[str, Candidate]
    ) -> list[Scores]:
        """Return the scores of records; `before` are those of earlier generations, by record."""
        known = {r.id: found for r in records if (found := _as_known(r, before.get(r.id)))}
        new = [record for record in records if record.id not in known]
        reference = range(min(REFERENCE, len(records)))
        how = reference, MAX_TOKENS, self.timeout_s
        # The embedder is loaded here, for seconds; the trainer has processes of its own.
        found, vectors, influences = await asyncio.gather(
            self._found(new),
            asyncio.to_thread(self.vectors, records),
            self.trainer.align(plain(records), *how),
        )
        known |= found
        novel = await asyncio.to_thread(novelties, vectors)
        return [
            Scores(
                tier=record.tier,
                verifier=verifier_of(record),
                difficulty=known[record.id].difficulty,
                perplexity=known[record.id].perplexity,
                novelty=novelty,
                influence=influence,
                tokens=known[record.id].tokens,
            )
            for record, novelty, influence in zip(records, novel, influences, strict=True)
        ]

    async def _found(self, records: Sequence[Record]) -> dict[str, Known]:
        """Ask the base about records that were not considered before."""
        if not records:
            return {}
        foreseen = await self.trainer.measure(plain(records), None, MAX_TOKENS, self.timeout_s)
        longest = max(each.tokens for each in foreseen)
        rates = await self._pass_rates(records[:MOST_ASKED], max(FEWEST_TOKENS, ROOM * longest))
        return {
            record.id: Known(rates.get(record.id), perplexity_of(each), each.tokens)
            for record, each in zip(records, foreseen, strict=True)
        }

    async def _pass_rates(self, records: Sequence[Record], tokens: int) -> dict[str, float]:
        prompts = [each.until(-1) for each in plain(records) for _ in range(DRAWS)]
        limits = min(tokens, self.max_new_tokens), self.timeout_s
        draw = Draw(temperature=TEMPERATURE)
        texts = await self.trainer.generate(prompts, None, *limits, self.on_step, draw)
        said = (texts[first : first + DRAWS] for first in range(0, len(texts), DRAWS))
        return {
            record.id: sum(self.grade(text, record) for text in replies) / DRAWS
            for record, replies in zip(records, said, strict=True)
        }


def by_wording(records: Sequence[Record]) -> NDArray[np.float32]:
    """Return vectors of the questions' wording, where there is no embedder."""
    found: NDArray[np.float32] = HashingEmbedder().embed([record.question for record in records])
    return found


def perplexity_of(foreseen: Foreseen) -> float:
    """Return exp of the mean loss; 1 where nothing is to be learned."""
    return math.exp(min(foreseen.loss / max(1, foreseen.tokens), 100.0))


def verifier_of(record: Record) -> str | None:
    """Name what vouched for a record's answer: verifiers, a person's word, an import."""
    evidence = record.evidence
    passed = [each["type"] for each in evidence.get("verifiers", ()) if each.get("passed")]
    if passed:
        return "+".join(sorted(set(passed)))
    if evidence.get("feedback") or evidence.get("edited"):
        return "feedback"
    return evidence.get("source")


def _as_known(record: Record, before: Candidate | None) -> Known | None:
    """Return what an earlier generation found, where the record still says the same."""
    if before is None or before.scores.difficulty is None or before.content != content_of(record):
        return None
    return Known(before.scores.difficulty, before.scores.perplexity, before.scores.tokens)
