"""Records that are probably wrong, found before anything learns from them.

Four witnesses are heard of each record: a computation, where the question is plain; the records
that ask for the same; the base; and the base after training on other records of the tenant
(cross-validation: of each half on the other). A witness is believed where it is right about the
records most like the one in question. So a world whose every record contradicts the base is
learned, as its records explain each other; and facts that no other record explains are let be.

A record is doubted where

1. its question comes to something else, or a sum that its solution states does; or
2. the base does not give its answer, and

   a. the answer has another form than those of others that ask for the same; or
   b. the base is right about most records near it, and contradicts this one in every sample,
      unless training on others teaches it, and clearly more of those near than the base knows; or
   c. training on others teaches most records near it, and leaves this one wrong and unforeseen; or
   d. training on others leaves it wrong, at a loss far above that of others that ask for the same;
      or
   e. another record answers its question otherwise, and training on others does not teach this one.

A loss that others do not bring down marks wrong labels (small-loss selection, arXiv 1804.06872).
What a computation agrees with is not doubted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from adaptation.learning.distillation.at_once import at_once
from adaptation.learning.distillation.likeness import NEAR, Near, nearest
from adaptation.learning.distillation.odd import (
    NUMBER,
    contradictions,
    far_above,
    form_of_answer,
    of_another_form,
    wrong_work,
)
from adaptation.learning.distillation.plain_questions import computed, strange
from adaptation.learning.distillation.report import Doubt
from adaptation.learning.neighbours import plain
from adaptation.learning.scratch import scratch
from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.training.trainer import Draw, GeneratingTrainer, OnStep, TrainingJob
from memory.types import Record, Tier

MOST = 0.5
"""Least share of the records that a witness must find right to be believed."""
CLEARLY = 2
"""Records near by which a witness knows more than another whom it contradicts.

A world may resemble what the base knows: of bills with a rounding it gets half right by chance."""
FOLDS = 2
SAMPLES, TEMPERATURE = 4, 0.8
"""Samples of the base beside its likeliest answer: all of them must contradict."""
UNFORESEEN = 0.2
"""Nats a token that training on others leaves, at least, of a record that it does not explain."""
TIMES, NATS = 4.0, 1.0
"""What a loss is far above: so many times as high, and so many nats a token higher."""
FEWEST = 16
"""Records without which nobody is near anybody."""
CONTRADICTED = "another record answers its question otherwise"
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
        near = await asyncio.to_thread(nearest, [record.question for record in records])
        contrary = await asyncio.to_thread(contradictions, records)
        reasons, is_right = await self._computed(records)
        for i, record in enumerate(records):
            if i not in reasons and (
                why := wrong_work(record, [records[j] for j in near[i].alike])
            ):
                reasons[i] = why
        reasons = {i: why for i, why in reasons.items() if not is_vouched_for(records[i])}
        if len(records) >= FEWEST:
            settled = is_right.union(reasons)
            reasons = await self._by_model(records, near, contrary, settled) | reasons
        shown = {i: dict.fromkeys((*contrary.get(i, ()), *near[i].places)) for i in reasons}
        return [
            Doubt(
                record_id=records[i].id,
                reason=reasons[i],
                near=tuple(records[j].id for j in [*shown[i]][:NEAR]),
            )
            for i in sorted(reasons)
        ]

    async def _computed(self, records: Sequence[Record]) -> tuple[dict[int, str], set[int]]:
        """Return what computations contradict, with the reason, and what they agree with."""
        found = {}
        for i, record in enumerate(records):
            # What was said before a question may change what it means.
            is_plain = len(record.messages) == 1 and form_of_answer(record.answer) == NUMBER
            if is_plain and (told := await computed(record.question)) is not None:
                found[i] = told, self.grade(told.value, record)
        other = strange((term, same) for told, same in found.values() for term in told.terms)
        believed = {i: each for i, each in found.items() if not each[0].terms & other}
        contradicted = {
            i: f"its question comes to {told.value}"
            for i, (told, is_same) in believed.items()
            if not is_same
        }
        return contradicted, believed.keys() - contradicted.keys()

    async def _by_model(
        self,
        records: Sequence[Record],
        near: Sequence[Near],
        contrary: Mapping[int, Sequence[int]],
        settled: set[int],
    ) -> dict[int, str]:
        """Return which records the base and the others speak against, with the reason."""
        by_base = await self._answered(records, None)
        suspects = [
            i
            for i, is_right in enumerate(by_base)
            if not (is_right or i in settled or is_vouched_for(records[i]))
        ]
        if not suspects:
            return {}
        by_others, losses = await self._cross_validated(records)
        forms = [form_of_answer(record.answer) for record in records]
        reasons = {
            i: _unexplained(near[i], by_others, losses, i) for i in suspects if not by_others[i]
        }
        reasons |= {
            i: _contradicted_by_base(by_base, near[i])
            for i in await self._contradicted(
                records,
                [
                    i
                    for i in suspects
                    if _believed(by_base, near[i].places)
                    and not (by_others[i] and _knows_more(by_others, by_base, near[i].places))
                ],
            )
        }
        odd = {i: of_another_form(forms[i], [forms[j] for j in near[i].alike]) for i in suspects}
        reasons |= {i: why for i, why in odd.items() if why}
        alone = {i: CONTRADICTED for i in suspects if i in contrary and not by_others[i]}
        return alone | {i: why for i, why in reasons.items() if why}

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
        found = await at_once(self._taught(records, fold) for fold in folds)
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
        with scratch() as folder:
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


def _believed(right: Sequence[bool], near: Sequence[int]) -> bool:
    return sum(right[place] for place in near) >= MOST * len(near)


def _knows_more(one: Sequence[bool], other: Sequence[bool], near: Sequence[int]) -> bool:
    """Whether a witness is right about clearly more of the records near than another is."""
    return sum(one[place] for place in near) >= sum(other[place] for place in near) + CLEARLY


def _contradicted_by_base(by_base: Sequence[bool], near: Near) -> str:
    known = sum(by_base[place] for place in near.places)
    return (
        f"the model contradicts it in each of {SAMPLES + 1} answers, and is right about "
        f"{known} of the {len(near.places)} records most like it"
    )


def _unexplained(
    near: Near, by_others: Sequence[bool], losses: Sequence[float], place: int
) -> str | None:
    """Return how training on others leaves a record unexplained, where it explains those near."""
    if losses[place] > UNFORESEEN and _believed(by_others, near.places):
        known = sum(by_others[other] for other in near.places)
        return (
            f"training on other records teaches {known} of the {len(near.places)} records most "
            "like it, and not this one"
        )
    alike = [losses[other] for other in near.alike[:NEAR]]
    usual = far_above(losses[place], alike, times=TIMES, by=NATS)
    if usual is None:
        return None
    return (
        f"training on other records leaves it a loss of {losses[place]:.2f} nats a token, where "
        f"most that ask for the same have {usual:.2f} at most"
    )
