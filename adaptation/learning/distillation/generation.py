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
from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.doubt import Doubting
from adaptation.learning.distillation.gate import Decision, Verdict, decide
from adaptation.learning.distillation.guarding import Asked, ask_guards, objections
from adaptation.learning.distillation.guards import PROBES, Probe
from adaptation.learning.distillation.judging import Grade, Judge, Judging
from adaptation.learning.distillation.near import NearProbe, near_probes
from adaptation.learning.distillation.registry import JudgementList, Judgements, Registry
from adaptation.learning.distillation.replay import PROMPTS, rehearsals
from adaptation.learning.distillation.report import (
    Accuracy,
    Budget,
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
from adaptation.learning.monitors.watch import Graded, Seen, watch
from adaptation.learning.neighbours import plain
from adaptation.learning.training.gate import MAX_REFUSAL_SHIFT_NATS
from adaptation.learning.training.recipes import distillation_recipe
from adaptation.learning.training.refusals import Refusal
from adaptation.learning.training.trainer import (
    GeneratingTrainer,
    OnStep,
    Recipe,
    TrainingJob,
    TrainingResult,
)
from memory.judgements import Judgement
from memory.types import AdapterVersion, Frozen, Message, State

WORK = "whet-distill-"
"""What the folders begin with in which candidates are trained."""
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
    """Chance of a false promotion in the whole run: see `budget`."""
    anyway: bool = False
    """Go on where the last generations brought nothing."""
    refusals: tuple[Refusal, ...] = ()
    """What a candidate may not make the model comply with."""
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
    judgements: Judgements = field(default_factory=JudgementList)
    nearest: Callable[[str], Sequence[float]] = lambda tenant: ()
    """How near to memory the questions of a tenant were lately."""

    async def run(self, tenant: str, rebuilt: AdapterVersion | None = None) -> GenerationReport:
        """Run one generation; raises `DistillationError` when it cannot start or finish.

        `rebuilt` is a version to be trained again, from what is left of its records: with the same
        base and seed that comes, on a CPU, to the bytes of one that never saw the others.
        """
        started = time.monotonic()
        champion = await self._champion(tenant)
        judged = await asyncio.to_thread(self.judgements.of, tenant, self.base_model)
        history = History(judged)
        chosen = await self._select(tenant, rebuilt, champion, history)
        if rebuilt is None and not (self.settings.anyway or self.settings.dry_run):
            history.refuse_idle(len(chosen.train))
        try:
            if not self.settings.dry_run:
                chosen = await self._learnable(tenant, chosen)
            doubts: list[Doubt] = []
            if self.settings.doubts and not self.settings.dry_run and rebuilt is None:
                chosen, doubts = await self._undoubted(tenant, chosen)
            report = self._report(tenant, chosen, champion, rebuilt)
            report = report.model_copy(update={"doubts": tuple(doubts)})
            if not self.settings.dry_run:
                report = await self._learn(report, chosen, champion, history)
        except TrainerError as error:
            raise DistillationError(f"the generation failed: {error}") from error
        return report.model_copy(update={"seconds": time.monotonic() - started})

    async def _learn(
        self,
        report: GenerationReport,
        chosen: Selected,
        champion: AdapterVersion | None,
        history: History,
    ) -> GenerationReport:
        if champion and not await asyncio.to_thread(self.registry.files_ok, champion):
            raise DistillationError(_DAMAGED.format(champion.id))
        started = time.monotonic()
        path, alpha = champion.path if champion else None, history.stake(self.settings.alpha)
        remove_orphans(Path(tempfile.gettempdir()), WORK)
        with tempfile.TemporaryDirectory(prefix=f"{WORK}{os.getpid()}-") as folder:
            # 1. A candidate from the base, beside what is served, on the same questions.
            result = await self._train(chosen, folder)
            judging = await Judge(self.generate, self.grade, path).judge(
                chosen.holdout, folder, alpha
            )
            # 2. The guards, where the answers speak for the candidate.
            near, far = await self._guarded(judging, chosen, path, folder, report.tenant, alpha)
            against = (*_refused(result), *objections(near, far))
            current, candidate = judging.current.right, judging.candidate.right
            decision = decide(current, candidate, judging.left, against, alpha)
            budget = Budget(
                alpha=alpha, left=history.left(self.settings.alpha), spent=history.spent
            )
            judged = report.model_copy(
                update={
                    "accuracy": Accuracy(
                        base=judging.base.share,
                        current=judging.current.share,
                        candidate=judging.candidate.share,
                    ),
                    "budget": budget,
                    "guards": _told(far),
                    "near_guards": _told(near),
                    **_evidence(decision, result, self._recipe(chosen)),
                }
            )
            # 3. The version, and what was found of it, whatever became of it.
            judged = judged.model_copy(update={"seconds": time.monotonic() - started})
            judged = await asyncio.to_thread(self._watched, judged, chosen, judging, far, history)
            return await asyncio.to_thread(self._kept, judged, chosen, judging, folder)

    def _watched(
        self,
        judged: GenerationReport,
        chosen: Selected,
        judging: Judging,
        far: Asked | None,
        history: History,
    ) -> GenerationReport:
        """Return the report with the alarms that the monitors give."""
        current, candidate = judging.current, judging.candidate
        seen = Seen(
            train=chosen.train,
            before=Graded(current.texts, current.right),
            after=Graded(candidate.texts, candidate.right),
            probes_before={g.question: text for g, text in far.before.items()} if far else {},
            probes_after={g.question: text for g, text in far.after.items()} if far else {},
            judged=(*history.judged, _judgement(judged, judging, "")),
            nearest=self.nearest(judged.tenant),
        )
        return judged.model_copy(update={"alarms": watch(seen)})

    def _kept(
        self, judged: GenerationReport, chosen: Selected, judging: Judging, folder: str
    ) -> GenerationReport:
        """Register the version and remember the judgement; the champion again is no news."""
        adapter_id = self._register(judged, chosen, folder)
        if adapter_id != judged.current:
            self.judgements.add(_judgement(judged, judging, adapter_id))
        return judged.model_copy(update={"adapter": adapter_id})

    async def _champion(self, tenant: str) -> AdapterVersion | None:
        """Return what is served on this base; a champion of another base serves nothing on it."""
        found = await asyncio.to_thread(self.registry.alias, tenant, "champion")
        return found if found is not None and found.base_model == self.base_model else None

    async def _select(
        self,
        tenant: str,
        rebuilt: AdapterVersion | None,
        champion: AdapterVersion | None,
        history: History,
    ) -> Selected:
        self.on_progress("select", 0, 1)
        selection = self.settings.selection
        if rebuilt is None:
            learned = champion.record_ids if champion else ()
            fresh = (selection, history.uses, frozenset(learned))
            chosen = await asyncio.to_thread(select, self.records, tenant, *fresh)
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
            conversations=(*plain(chosen.train), *rehearsed),
            recipe=recipe,
            output_dir=folder,
            refusals=self.settings.refusals,
        )
        return await self.trainer.train(job, self.settings.timeout_s, self._progress("train"))

    async def _rehearsed(self, n_records: int) -> list[Conversation]:
        prompts = [spoken(Message(role="user", content=prompt)) for prompt in PROMPTS]
        return rehearsals(await self.generate("rehearse", prompts, None), n_records)

    async def _guarded(
        self,
        judging: Judging,
        chosen: Selected,
        served: str | None,
        folder: str,
        tenant: str,
        alpha: float,
    ) -> tuple[Asked | None, Asked | None]:
        """Ask the near guards, then the far ones; none where what came before decides."""
        if judging.look(alpha) is not Verdict.BETTER or not self.probes:
            return None, None
        probes = await asyncio.to_thread(self._near, tenant, chosen)
        near = await ask_guards(self.generate, probes, served, folder, "near")
        if objections(near, None):
            return near, None
        return near, await ask_guards(self.generate, self.probes, served, folder, "far")

    def _near(self, tenant: str, chosen: Selected) -> tuple[NearProbe, ...]:
        known = {record.id for record in (*chosen.train, *chosen.holdout)}
        active = self.records.walk(tenant, state=State.ACTIVE)
        return near_probes(chosen.train, (record for record in active if record.id not in known))

    async def generate(
        self, phase: str, prompts: Sequence[Conversation], adapter: str | None
    ) -> list[str]:
        """Have the base, or an adapter on it, reply to prompts."""
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


def _refused(result: TrainingResult) -> tuple[str, ...]:
    """Say what training did to refusals, where that is too much."""
    shift = result.refusal_shift
    if shift is None or shift <= MAX_REFUSAL_SHIFT_NATS:
        return ()
    return (
        f"refusals lost {shift:.2f} nats a token against complying, more than "
        f"{MAX_REFUSAL_SHIFT_NATS:g}",
    )


def _told(asked: Asked | None) -> Guards | None:
    if asked is None:
        return None
    outcome = asked.outcome
    return Guards(known=outcome.before, lost=outcome.lost, families=dict(outcome.families))


def _judgement(judged: GenerationReport, judging: Judging, adapter_id: str) -> Judgement:
    assert judged.budget is not None
    assert judged.e_value is not None
    return Judgement(
        tenant=judged.tenant,
        base_model=judged.base_model,
        adapter_id=adapter_id,
        promoted=judged.decision == "promoted",
        alpha=judged.budget.alpha,
        e_value=judged.e_value,
        helped=judged.helped or 0,
        hurt=judged.hurt or 0,
        before=judging.current.share,
        after=judging.candidate.share,
        train=judged.train,
        seconds=judged.seconds,
        record_ids=tuple(record.id for record in judging.records),
        alarms=tuple(alarm.monitor for alarm in judged.alarms),
    )


def _evidence(decision: Decision, result: TrainingResult, recipe: Recipe) -> dict[str, object]:
    return {
        "decision": "promoted" if decision.promote else "rejected",
        "reasons": decision.reasons,
        "helped": decision.helped,
        "hurt": decision.hurt,
        "p_value": decision.p_value,
        "e_value": decision.e_value,
        "asked": decision.asked,
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
