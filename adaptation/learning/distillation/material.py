"""What a generation learns from and is judged by: selected, renderable, not doubted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from adaptation.learning.candidates.choosing import pick
from adaptation.learning.candidates.kept import Kept
from adaptation.learning.candidates.scoring import Scorer, Vectors
from adaptation.learning.candidates.solutions import Bare, Solver, as_before
from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.doubt import Doubting
from adaptation.learning.distillation.hardest import Foretold, foretold
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
from adaptation.learning.distillation.target import Target
from adaptation.learning.neighbours import plain
from adaptation.learning.training.trainer import GeneratingTrainer, OnStep
from memory.types import AdapterVersion

OnProgress = Callable[[str, int, int], None]
"""(phase, done, total); phases are `select`, `evaluate base`, `train`, …"""


@dataclass(frozen=True)
class Gathered:
    """What was found."""

    chosen: Selected
    doubts: tuple[Doubt, ...] = ()
    """What was held back."""
    teacher: str | None = None
    """The base that it was found with, where that is not the one that learns."""


@dataclass(frozen=True)
class Material:
    """Finds it."""

    records: Records
    trainer: GeneratingTrainer
    grade: Grade
    settings: Settings
    on_progress: OnProgress
    kept: Kept
    vectors: Vectors
    base_model: str
    target: Target | None = None
    on_loaded: Callable[[], object] = lambda: None
    """Begins what needs the base alone, once it is loaded."""

    async def gathered(
        self,
        tenant: str,
        rebuilt: AdapterVersion | None,
        champion: AdapterVersion | None,
        history: History,
        seen: frozenset[str] = frozenset(),
    ) -> Gathered:
        """Select, and prepare what was selected; a dry run only selects.

        Raises `DistillationError` where a generation would be in vain.
        """
        chosen = await self.select(tenant, rebuilt, champion, history, seen)
        if self.settings.dry_run:
            return Gathered(chosen.aimed())
        if rebuilt is None and not self.settings.anyway:
            history.refuse_idle(len(chosen.train))
        found = await self.prepared(tenant, chosen, rebuilt, served=champion is not None)
        return replace(found, chosen=found.chosen.aimed())

    async def taken_over(self, tenant: str, given: Gathered) -> Gathered:
        """Return what was gathered with another base, as far as this one can render it.

        What the other base wrote is kept as what this one learned, for whoever trains it again.
        What its scores came to is its own affair.
        """
        assert given.teacher is not None
        written = await asyncio.to_thread(self.kept.solutions, tenant, given.teacher)
        chosen = self.mixed(tenant, await self.learnable(tenant, given.chosen))
        for record in chosen.train:
            if (solution := written.get(record.id)) is not None:
                mine = solution.model_copy(update={"base_model": self.base_model})
                await asyncio.to_thread(self.kept.add_solution, mine)
        left_out = (*given.chosen.unlearnable, *chosen.unlearnable)
        return replace(given, chosen=replace(chosen, picked=None, unlearnable=left_out))

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
        if rebuilt is None:
            learned = champion.record_ids if champion else ()
            fresh = (history, seen.union(learned))
            chosen = await asyncio.to_thread(self._selected, tenant, *fresh)
        else:
            of_target = self.target.questions(tenant) if self.target else ()
            again = (rebuilt, self.settings.selection, of_target)
            chosen = await asyncio.to_thread(reselect, self.records, tenant, *again)
        self.on_progress("select", 1, 1)
        return chosen

    def _selected(self, tenant: str, history: History, seen: frozenset[str]) -> Selected:
        selection, target, uses = self.settings.selection, self.target, history.uses
        if target is None:
            rates = self._foretold(tenant) if history.saturated else None
            return select(self.records, tenant, selection, uses, seen, rates=rates)
        known = self.records.walk(tenant)
        judges = target.fresh(tenant, known, uses, seen)[: selection.max_holdout]
        target.require_enough(judges, selection.min_holdout)
        near = partial(target.nearness, vectors=self.vectors)
        return replace(select(self.records, tenant, selection, uses, seen, near), judges=judges)

    async def prepared(
        self, tenant: str, chosen: Selected, rebuilt: AdapterVersion | None, *, served: bool
    ) -> Gathered:
        """Return what is learned of what was selected, and what was held back.

        One that is rebuilt learns what it learned: nothing is doubted or chosen again.
        """
        doubts: list[Doubt] = []
        chosen = await self.learnable(tenant, chosen)
        if rebuilt is not None:
            return Gathered(await self.solved(tenant, chosen, as_before(rebuilt)))
        if self.settings.doubts:
            chosen, doubts = await self.undoubted(tenant, chosen)
        chosen = self.mixed(tenant, await self.solved(tenant, chosen, self.settings.bare))
        if self.settings.scores:
            chosen = await self.picked(tenant, chosen, served=served)
        return Gathered(chosen, tuple(doubts))

    async def learnable(self, tenant: str, chosen: Selected) -> Selected:
        """Return `chosen` without what the model's chat template cannot render."""
        await self.trainer.start()
        self.on_loaded()
        records = (*chosen.train, *chosen.held_out, *chosen.judges)
        found = await self.trainer.check(plain(records), self.settings.timeout_s)
        obstacles = {record.id: why for record, why in zip(records, found, strict=True) if why}
        kept = replace(
            chosen,
            train=tuple(record for record in chosen.train if record.id not in obstacles),
            holdout=tuple(record for record in chosen.holdout if record.id not in obstacles),
            aside=tuple(record for record in chosen.aside if record.id not in obstacles),
            judges=tuple(record for record in chosen.judges if record.id not in obstacles),
            unlearnable=tuple(obstacles.values()),
        )
        require_enough(kept, tenant, self.settings.selection)
        if self.target is not None and chosen.judges:
            self.target.require_enough(kept.judges, self.settings.selection.min_holdout)
        return kept

    async def undoubted(self, tenant: str, chosen: Selected) -> tuple[Selected, list[Doubt]]:
        """Hold back what is probably wrong; return the rest."""
        limits = self.settings.max_new_tokens, self.settings.timeout_s
        doubting = Doubting(self.trainer, self.grade, *limits, self._step("doubt"))
        doubts = await doubting.about((*chosen.train, *chosen.held_out))
        for doubt in doubts:
            found = doubt.record_id, doubt.reason, doubt.near
            await asyncio.to_thread(self.records.hold, tenant, *found)
        held = {doubt.record_id for doubt in doubts}
        kept = replace(
            chosen,
            train=tuple(record for record in chosen.train if record.id not in held),
            holdout=tuple(record for record in chosen.holdout if record.id not in held),
            aside=tuple(record for record in chosen.aside if record.id not in held),
        )
        require_enough(kept, tenant, self.settings.selection)
        return kept, doubts

    async def solved(self, tenant: str, chosen: Selected, bare: Bare) -> Selected:
        """Give bare corrections the solution that the model writes; leave out those without one."""
        solver = Solver(
            self.trainer,
            self.grade,
            self.kept,
            self.base_model,
            self.settings.max_new_tokens,
            self.settings.timeout_s,
            self._step("solve"),
        )
        found = await solver.solved(tenant, chosen.train, bare)
        kept = replace(
            chosen,
            train=found.records,
            bare=bare,
            written=found.written,
            unsolved=found.left_out,
        )
        require_enough(kept, tenant, self.settings.selection)
        return kept

    def mixed(self, tenant: str, chosen: Selected) -> Selected:
        """Leave out the practice that is too much by now: what was left out may have been real."""
        train = tuple(self.settings.selection.mixed(chosen.train))
        left_out = chosen.practice_left_out + len(chosen.train) - len(train)
        kept = replace(chosen, train=train, practice_left_out=left_out)
        require_enough(kept, tenant, self.settings.selection)
        return kept

    async def picked(self, tenant: str, chosen: Selected, *, served: bool) -> Selected:
        """Score what may be learned, and let a policy choose of it."""
        scorer = Scorer(
            self.trainer,
            self.grade,
            self.vectors,
            self.settings.max_new_tokens,
            self.settings.timeout_s,
            self._step("score"),
        )
        named = tenant, self.base_model
        scores = await scorer.scores(chosen.train, await asyncio.to_thread(self.kept.known, *named))
        found = pick(
            chosen.train,
            scores,
            await asyncio.to_thread(self.kept.selections, *named),
            served=served,
            least=self.settings.selection.min_train,
            seed=f"{tenant} {self.base_model} {self.settings.seed}",
            policy=self.settings.policy,
            mix=self.settings.selection.mixed,
        )
        train = tuple(chosen.train[place] for place in found.places)
        return replace(chosen, train=train, picked=found)

    def _foretold(self, tenant: str) -> Foretold | None:
        return foretold(self.kept.known(tenant, self.base_model), self.vectors)

    def _step(self, phase: str) -> OnStep:
        return lambda done, total, loss: self.on_progress(phase, done, total)
