"""Records that are probably wrong, found before anything learns from them.

Two witnesses are heard of each record: the base, and the base after training on other records of
the tenant (cross-validation: of each half on the other). A witness is believed where it is right
about the records most like the one in question. So a world whose every record contradicts the base
is learned, as its records explain each other; and facts that no other record explains are let be.

A record is doubted where

1. the base is right about most records near it, and contradicts this one in every sample; or
2. training on others teaches most records near it, and leaves this one wrong and unforeseen.

A loss that others do not bring down marks wrong labels (small-loss selection, arXiv 1804.06872).
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adaptation.learning.distillation.report import Doubt
from adaptation.learning.neighbours import plain
from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.training.trainer import Draw, GeneratingTrainer, OnStep, TrainingJob
from memory.text import folded
from memory.types import Record, Tier

NEAR = 8
"""Records that tell whether a witness is to be believed."""
MOST = 0.5
"""Of them, at least so many are right by a witness that is believed."""
FOLDS = 2
SAMPLES, TEMPERATURE = 4, 0.8
"""Of the base, beside its likeliest answer: all of them must contradict."""
UNFORESEEN = 0.2
"""Nats a token that training on others leaves, at least, of a record that it does not explain."""
FEWEST = 16
"""Records without which nobody is near anybody."""
VOUCHED = frozenset({Tier.EXECUTABLE, Tier.CORROBORATED})
"""Tiers that something else than a word supports."""

Grade = Callable[[str, Record], bool]


@dataclass(frozen=True)
class Doubting:
    """Hears the witnesses."""

    trainer: GeneratingTrainer
    grade: Grade
    """Whether a reply gives a record's answer."""
    max_new_tokens: int
    timeout_s: float
    on_step: OnStep

    async def about(self, records: Sequence[Record]) -> list[Doubt]:
        """Return what is probably wrong of the records, each with its reason."""
        if len(records) < FEWEST:
            return []
        by_base = await self._answered(records, None)
        wrong = [i for i, is_right in enumerate(by_base) if not is_right]
        suspects = [i for i in wrong if not is_vouched_for(records[i])]
        if not suspects:
            return []
        near = await asyncio.to_thread(nearest, [record.question for record in records])
        by_others, losses = await self._cross_validated(records)
        contradicted = await self._contradicted(
            records, [i for i in suspects if _believed(by_base, near[i])]
        )
        unexplained = {
            i
            for i in suspects
            if not by_others[i] and losses[i] > UNFORESEEN and _believed(by_others, near[i])
        }
        doubted = sorted(contradicted | unexplained)
        return [
            Doubt(
                record_id=records[i].id,
                reason=_reason(i in contradicted, by_base, by_others, near[i]),
                near=tuple(records[j].id for j in near[i]),
            )
            for i in doubted
        ]

    async def _contradicted(self, records: Sequence[Record], some: Sequence[int]) -> set[int]:
        """Return those of `some` that no sample of the base agrees with."""
        left = list(some)
        for seed in range(SAMPLES):
            if left:
                draw = Draw(temperature=TEMPERATURE, seed=seed)
                right = await self._answered([records[i] for i in left], None, draw)
                left = [i for i, is_right in zip(left, right, strict=True) if not is_right]
        return set(left)

    async def _cross_validated(self, records: Sequence[Record]) -> tuple[list[bool], list[float]]:
        """Return which records the others teach, and the loss that these leave of each."""
        folds = [range(fold, len(records), FOLDS) for fold in range(FOLDS)]
        found = await asyncio.gather(*(self._taught(records, fold) for fold in folds))
        right, losses = [False] * len(records), [0.0] * len(records)
        for fold, (answered, after) in zip(folds, found, strict=True):
            for place, is_right, loss in zip(fold, answered, after, strict=True):
                right[place], losses[place] = is_right, loss
        return right, losses

    async def _taught(
        self, records: Sequence[Record], fold: range
    ) -> tuple[list[bool], tuple[float, ...]]:
        others = [record for place, record in enumerate(records) if place not in fold]
        mine = [records[place] for place in fold]
        with tempfile.TemporaryDirectory(prefix="whet-doubt-") as folder:
            job = TrainingJob(
                conversations=tuple(plain(others)),
                holdout=tuple(plain(mine)),
                recipe=recipe_for(self.trainer.parameters),
                output_dir=folder,
            )
            result = await self.trainer.train(job, self.timeout_s, self.on_step)
            return await self._answered(mine, folder), result.holdout_after

    async def _answered(
        self, records: Sequence[Record], adapter: str | None, draw: Draw | None = None
    ) -> list[bool]:
        prompts = [conversation.until(-1) for conversation in plain(records)]
        limits = self.max_new_tokens, self.timeout_s
        texts = await self.trainer.generate(prompts, adapter, *limits, self.on_step, draw)
        return [self.grade(text, record) for text, record in zip(texts, records, strict=True)]


def is_vouched_for(record: Record) -> bool:
    """Whether something supports a record besides whoever gave it, or somebody has accepted it."""
    evidence = record.evidence
    return record.tier in VOUCHED or "confirmations" in evidence or "doubt" in evidence


def nearest(questions: Sequence[str]) -> list[list[int]]:
    """Return for each question the places of the `NEAR` most like it, by their words.

    Numbers are all alike: it is the form of a question that tells who knows about it.
    """
    words = [frozenset(re.sub(r"\d+", "#", folded(question)).split()) for question in questions]
    return [_nearest(words, place)[:NEAR] for place in range(len(words))]


def _nearest(words: Sequence[frozenset[str]], place: int) -> list[int]:
    others = (other for other in range(len(words)) if other != place)
    return sorted(others, key=lambda other: -_likeness(words[place], words[other]))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's index."""
    return len(one & other) / max(1, len(one | other))


def _believed(right: Sequence[bool], near: Sequence[int]) -> bool:
    return sum(right[place] for place in near) >= MOST * len(near)


def _reason(
    is_contradicted: bool, by_base: Sequence[bool], by_others: Sequence[bool], near: Sequence[int]
) -> str:
    if is_contradicted:
        known = sum(by_base[place] for place in near)
        return (
            f"the model contradicts it in each of {SAMPLES + 1} answers, and is right about "
            f"{known} of the {len(near)} records most like it"
        )
    known = sum(by_others[place] for place in near)
    return (
        f"training on other records teaches {known} of the {len(near)} records most like it, "
        "and not this one"
    )
