"""One generation of offline distillation: select → train → evaluate → gate → promote or reject.

Every generation restarts from the base (ReST-EM, arXiv 2312.06585: same score on the task, better
transfer) on all that is verified by now, and must beat what is served now on held-out questions.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import Field

from adaptation.conversation import Conversation, spoken
from adaptation.errors import DistillationError, TrainerError
from adaptation.learning.distillation.doubt import Doubting
from adaptation.learning.distillation.gate import Decision, decide
from adaptation.learning.distillation.guards import PROBES, GuardOutcome, Probe, compare
from adaptation.learning.distillation.registry import Registry
from adaptation.learning.distillation.replay import PROMPTS, rehearsals
from adaptation.learning.distillation.report import (
    Accuracy,
    Doubt,
    GenerationReport,
    Guards,
    Training,
)
from adaptation.learning.distillation.select import (
    JUDGED_BY,
    Records,
    Selected,
    Selection,
    require_enough,
    reselect,
    select,
)
from adaptation.learning.leases import remove_orphans
from adaptation.learning.neighbours import plain
from adaptation.learning.training.recipes import distillation_recipe
from adaptation.learning.training.trainer import (
    GeneratingTrainer,
    OnStep,
    Recipe,
    TrainingJob,
    TrainingResult,
)
from memory.types import AdapterVersion, Frozen, Message, Record

WORK = "whet-distill-"
"""What the folders begin with in which candidates are trained."""
Grade = Callable[[str, Record], bool]
"""Whether a generated text gives the record's answer."""
OnProgress = Callable[[str, int, int], None]
"""(phase, done, total); phases are `select`, `evaluate base`, `train`, …"""


class Settings(Frozen):
    """How a generation is run."""

    selection: Selection = Selection()
    recipe: Recipe | None = None
    """None: `distillation_recipe` by the size of the base and of the data."""
    rehearse: bool = True
    """Train on the base's own replies to general prompts as well, against forgetting."""
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """McNemar's p must lie below."""
    max_new_tokens: int = Field(default=512, ge=1)
    timeout_s: float = Field(default=6 * 3600.0, gt=0)
    """For each phase."""
    doubts: bool = True
    """Hold back for review what is probably wrong: see `doubt`."""
    dry_run: bool = False
    """Select and report; train nothing."""


_DAMAGED = "the files of {} are missing or damaged: `whet adapters reset` serves the base instead"


@dataclass(frozen=True)
class Distiller:
    """Runs generations for the tenants of one server."""

    records: Records
    registry: Registry
    trainer: GeneratingTrainer
    base_model: str
    grade: Grade
    settings: Settings = field(default_factory=Settings)
    probes: tuple[Probe, ...] = PROBES
    on_progress: OnProgress = lambda phase, done, total: None

    async def run(self, tenant: str, rebuilt: AdapterVersion | None = None) -> GenerationReport:
        """Run one generation; raises `DistillationError` when it cannot start or finish.

        `rebuilt` is a version to be trained again, from what is left of its records: with the same
        base and seed that comes, on a CPU, to the bytes of one that never saw the others.
        """
        started = time.monotonic()
        chosen = await self._select(tenant, rebuilt)
        champion = await self._champion(tenant)
        try:
            if not self.settings.dry_run:
                chosen = await self._learnable(tenant, chosen)
            doubts: list[Doubt] = []
            if self.settings.doubts and not self.settings.dry_run and rebuilt is None:
                chosen, doubts = await self._undoubted(tenant, chosen)
            report = self._report(tenant, chosen, champion, rebuilt)
            report = report.model_copy(update={"doubts": tuple(doubts)})
            if not self.settings.dry_run:
                report = await self._learn(report, chosen, champion)
        except TrainerError as error:
            raise DistillationError(f"the generation failed: {error}") from error
        return report.model_copy(update={"seconds": time.monotonic() - started})

    async def _learn(
        self, report: GenerationReport, chosen: Selected, champion: AdapterVersion | None
    ) -> GenerationReport:
        # 1. What base and champion can do.
        base = await self._grades("base", chosen.holdout, None)
        if champion and not await asyncio.to_thread(self.registry.files_ok, champion):
            raise DistillationError(_DAMAGED.format(champion.id))
        path = champion.path if champion else None
        current = await self._grades("champion", chosen.holdout, path) if path else base
        # 2. A candidate from the base, judged on the same questions.
        remove_orphans(Path(tempfile.gettempdir()), WORK)
        with tempfile.TemporaryDirectory(prefix=f"{WORK}{os.getpid()}-") as folder:
            result = await self._train(chosen, folder)
            candidate = await self._grades("candidate", chosen.holdout, folder)
            decision, guards = await self._judged(current, candidate, path, folder)
            judged = report.model_copy(
                update={
                    "accuracy": Accuracy(
                        base=_share(base), current=_share(current), candidate=_share(candidate)
                    ),
                    **_evidence(decision, guards, result, self._recipe(chosen)),
                }
            )
            # 3. The version, whatever became of it.
            adapter_id = await asyncio.to_thread(self._register, judged, chosen, folder)
        return judged.model_copy(update={"adapter": adapter_id})

    async def _champion(self, tenant: str) -> AdapterVersion | None:
        """Return what is served on this base; a champion of another base serves nothing on it."""
        found = await asyncio.to_thread(self.registry.alias, tenant, "champion")
        return found if found is not None and found.base_model == self.base_model else None

    async def _select(self, tenant: str, rebuilt: AdapterVersion | None) -> Selected:
        self.on_progress("select", 0, 1)
        selection = self.settings.selection
        if rebuilt is None:
            chosen = await asyncio.to_thread(select, self.records, tenant, selection)
        else:
            chosen = await asyncio.to_thread(reselect, self.records, tenant, rebuilt, selection)
        self.on_progress("select", 1, 1)
        return chosen

    async def _learnable(self, tenant: str, chosen: Selected) -> Selected:
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

    async def _undoubted(self, tenant: str, chosen: Selected) -> tuple[Selected, list[Doubt]]:
        """Hold back what is probably wrong; return the rest."""
        limits = self.settings.max_new_tokens, self.settings.timeout_s
        doubting = Doubting(self.trainer, self.grade, *limits, self._progress("doubt"))
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

    def _report(
        self,
        tenant: str,
        chosen: Selected,
        champion: AdapterVersion | None,
        rebuilt: AdapterVersion | None,
    ) -> GenerationReport:
        return GenerationReport(
            tenant=tenant,
            base_model=self.base_model,
            decision="dry_run",
            reasons=("a dry run trains nothing",),
            train=len(chosen.train),
            holdout=len(chosen.holdout),
            unverified=chosen.unverified,
            unlearnable=len(chosen.unlearnable),
            obstacle=next(iter(chosen.unlearnable), None),
            tasks=dict(Counter(record.task or "" for record in chosen.train)),
            current=champion.id if champion else None,
            rebuilds=rebuilt.id if rebuilt else None,
            gone=len(rebuilt.record_ids) - len(chosen.train) if rebuilt else 0,
            seconds=0.0,
        )

    def _recipe(self, chosen: Selected) -> Recipe:
        return self.settings.recipe or distillation_recipe(
            self.trainer.parameters, len(chosen.train)
        )

    async def _train(self, chosen: Selected, folder: str) -> TrainingResult:
        recipe = self._recipe(chosen)
        rehearsed = await self._rehearsed(len(chosen.train)) if self.settings.rehearse else []
        job = TrainingJob(
            conversations=(*plain(chosen.train), *rehearsed), recipe=recipe, output_dir=folder
        )
        return await self.trainer.train(job, self.settings.timeout_s, self._progress("train"))

    async def _rehearsed(self, n_records: int) -> list[Conversation]:
        prompts = [spoken(Message(role="user", content=prompt)) for prompt in PROMPTS]
        return rehearsals(await self._generate("rehearse", prompts, None), n_records)

    async def _grades(
        self, name: str, holdout: Sequence[Record], adapter: str | None
    ) -> list[bool]:
        prompts = [conversation.until(-1) for conversation in plain(holdout)]
        texts = await self._generate(f"evaluate {name}", prompts, adapter)
        return [self.grade(text, record) for text, record in zip(texts, holdout, strict=True)]

    async def _judged(
        self, current: Sequence[bool], candidate: Sequence[bool], served: str | None, folder: str
    ) -> tuple[Decision, GuardOutcome | None]:
        """Decide by the held-out answers, and by the guards where these speak for the candidate."""
        decision = decide(current, candidate, None, self.settings.alpha)
        if not decision.promote or not self.probes:
            return decision, None
        guards = await self._guard(served, folder)
        return decide(current, candidate, guards, self.settings.alpha), guards

    async def _guard(self, current: str | None, candidate: str) -> GuardOutcome:
        """Ask the candidate those probes only that what is served answers rightly."""
        before = await self._replies("guard", self.probes, current)
        known = [probe for probe in self.probes if probe.right(before[probe])]
        return compare(known, await self._replies("guard candidate", known, candidate))

    async def _replies(
        self, phase: str, probes: Sequence[Probe], adapter: str | None
    ) -> dict[Probe, str]:
        if not probes:
            return {}
        prompts = [probe.conversation for probe in probes]
        return dict(zip(probes, await self._generate(phase, prompts, adapter), strict=True))

    async def _generate(
        self, phase: str, prompts: Sequence[Conversation], adapter: str | None
    ) -> list[str]:
        limits = self.settings.max_new_tokens, self.settings.timeout_s
        return await self.trainer.generate(prompts, adapter, *limits, self._progress(phase))

    def _progress(self, phase: str) -> OnStep:
        return lambda done, total, loss: self.on_progress(phase, done, total)

    def _register(self, judged: GenerationReport, chosen: Selected, folder: str) -> str:
        assert judged.training is not None
        version = self.registry.register(
            Path(folder),
            tenant=judged.tenant,
            base_model=self.base_model,
            parent=None,  # restarted from the base; lineage is in the records
            rank=judged.training.rank,
            metrics=judged.model_dump(mode="json", exclude={"adapter", "seconds", "tenant"})
            | {JUDGED_BY: [record.id for record in chosen.holdout]},
            record_ids=tuple(record.id for record in chosen.train),
        )
        if judged.decision == "promoted":
            self.registry.promote(judged.tenant, version.id)
        elif version.id != judged.current:
            self.registry.record_reject(judged.tenant, version.id, "; ".join(judged.reasons))
        if judged.rebuilds is not None:
            self.registry.replace(judged.tenant, judged.rebuilds, version.id)
        return version.id


def _evidence(
    decision: Decision, guards: GuardOutcome | None, result: TrainingResult, recipe: Recipe
) -> dict[str, object]:
    return {
        "decision": "promoted" if decision.promote else "rejected",
        "reasons": decision.reasons,
        "helped": decision.helped,
        "hurt": decision.hurt,
        "p_value": decision.p_value,
        "guards": Guards(known=guards.before, lost=guards.lost) if guards else None,
        "training": Training(
            rank=result.rank,
            steps=result.steps,
            loss=(result.losses[0], result.losses[-1]),
            tokens=result.tokens,
            flops=result.flops,
            seconds=result.seconds,
            recipe=recipe,
        ),
    }


def _share(grades: Sequence[bool]) -> float:
    return sum(grades) / len(grades)
