"""What a generation learns from and is judged by: selected, renderable, not doubted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.doubt import Doubting
from adaptation.learning.distillation.judging import Grade
from adaptation.learning.distillation.report import Doubt
from adaptation.learning.distillation.select import (
    Records,
    Selected,
    require_enough,
    reselect,
    select,
)
from adaptation.learning.distillation.settings import Settings
from adaptation.learning.neighbours import plain
from adaptation.learning.training.trainer import GeneratingTrainer
from memory.types import AdapterVersion

OnProgress = Callable[[str, int, int], None]
"""(phase, done, total); phases are `select`, `evaluate base`, `train`, …"""


@dataclass(frozen=True)
class Material:
    """Finds it."""

    records: Records
    trainer: GeneratingTrainer
    grade: Grade
    settings: Settings
    on_progress: OnProgress

    async def select(
        self,
        tenant: str,
        rebuilt: AdapterVersion | None,
        champion: AdapterVersion | None,
        history: History,
        seen: frozenset[str] = frozenset(),
    ) -> Selected:
        """Split the tenant's records, or what is left of a version's own.

        What is `seen` judges nothing.
        """
        self.on_progress("select", 0, 1)
        selection = self.settings.selection
        if rebuilt is None:
            learned = champion.record_ids if champion else ()
            fresh = (selection, history.uses, seen.union(learned))
            chosen = await asyncio.to_thread(select, self.records, tenant, *fresh)
        else:
            chosen = await asyncio.to_thread(reselect, self.records, tenant, rebuilt, selection)
        self.on_progress("select", 1, 1)
        return chosen

    async def learnable(self, tenant: str, chosen: Selected) -> Selected:
        """Return `chosen` without what the model's chat template cannot render."""
        await self.trainer.start()
        records = (*chosen.train, *chosen.holdout)
        found = await self.trainer.check(plain(records), self.settings.timeout_s)
        obstacles = {record.id: why for record, why in zip(records, found, strict=True) if why}
        kept = replace(
            chosen,
            train=tuple(record for record in chosen.train if record.id not in obstacles),
            holdout=tuple(record for record in chosen.holdout if record.id not in obstacles),
            unlearnable=tuple(obstacles.values()),
        )
        require_enough(kept, tenant, self.settings.selection)
        return kept

    async def undoubted(self, tenant: str, chosen: Selected) -> tuple[Selected, list[Doubt]]:
        """Hold back what is probably wrong; return the rest."""
        limits = self.settings.max_new_tokens, self.settings.timeout_s
        doubting = Doubting(
            self.trainer,
            self.grade,
            *limits,
            lambda done, total, loss: self.on_progress("doubt", done, total),
        )
        doubts = await doubting.about((*chosen.train, *chosen.holdout))
        for doubt in doubts:
            await asyncio.to_thread(self.records.hold, tenant, doubt.record_id, doubt.reason)
        held = {doubt.record_id for doubt in doubts}
        kept = replace(
            chosen,
            train=tuple(record for record in chosen.train if record.id not in held),
            holdout=tuple(record for record in chosen.holdout if record.id not in held),
        )
        require_enough(kept, tenant, self.settings.selection)
        return kept, doubts
