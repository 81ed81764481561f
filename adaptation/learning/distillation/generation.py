"""One generation of offline distillation: select → train → evaluate → gate → promote or reject.

Every generation restarts from the base (ReST-EM, arXiv 2312.06585: same score on the task, better
transfer) on all that is verified by now, and must beat what is served now on held-out questions.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adaptation.conversation import Conversation, spoken
from adaptation.errors import DistillationError, TrainerError
from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.far import far_probes
from adaptation.learning.distillation.gate import Verdict, decide
from adaptation.learning.distillation.guarding import Guard
from adaptation.learning.distillation.judging import Grade, Judge, Judging
from adaptation.learning.distillation.material import Material, OnProgress
from adaptation.learning.distillation.near import NearProbe, near_probes
from adaptation.learning.distillation.registry import JudgementList, Judgements, Registry
from adaptation.learning.distillation.replay import PROMPTS, rehearsals
from adaptation.learning.distillation.report import Accuracy, Budget, Doubt, GenerationReport
from adaptation.learning.distillation.sampling import Sampling
from adaptation.learning.distillation.select import JUDGED_BY, Records, Selected
from adaptation.learning.distillation.settings import Settings as Settings
from adaptation.learning.distillation.telling import (
    evidence_of,
    judgement_of,
    refused,
    report_of,
)
from adaptation.learning.distillation.vetting import Vetted, Vetting
from adaptation.learning.leases import remove_orphans
from adaptation.learning.monitors.watch import Graded, Seen, watch
from adaptation.learning.neighbours import plain
from adaptation.learning.training.recipes import distillation_recipe
from adaptation.learning.training.trainer import (
    Draw,
    Foreseen,
    GeneratingTrainer,
    OnStep,
    Recipe,
    TrainingJob,
    TrainingResult,
)
from memory.types import AdapterVersion, Message, State

WORK = "whet-distill-"
"""What the folders begin with in which candidates are trained."""


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
    probes: tuple[Guard, ...] = field(default_factory=far_probes)
    """Far guards; without any, none is asked at all."""
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
        material = Material(self.records, self.trainer, self.grade, self.settings, self.on_progress)
        chosen = await material.select(tenant, rebuilt, champion, history)
        if rebuilt is None and not (self.settings.anyway or self.settings.dry_run):
            history.refuse_idle(len(chosen.train))
        try:
            if not self.settings.dry_run:
                chosen = await material.learnable(tenant, chosen)
            doubts: list[Doubt] = []
            if self.settings.doubts and not self.settings.dry_run and rebuilt is None:
                chosen, doubts = await material.undoubted(tenant, chosen)
            report = report_of(tenant, self.base_model, chosen, champion, rebuilt)
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
            vetted = await self._vetted(judging, chosen, path, folder, report.tenant, alpha)
            judged = self._judged(report, chosen, judging, vetted, result, history)
            # 3. The version, and what was found of it, whatever became of it.
            judged = judged.model_copy(update={"seconds": time.monotonic() - started})
            judged = await asyncio.to_thread(
                self._watched, judged, chosen, judging, vetted, history
            )
            return await asyncio.to_thread(self._kept, judged, chosen, judging, folder)

    def _judged(
        self,
        report: GenerationReport,
        chosen: Selected,
        judging: Judging,
        vetted: Vetted,
        result: TrainingResult,
        history: History,
    ) -> GenerationReport:
        """Return the report with the decision, and all that it rests on."""
        whole = self.settings.alpha
        alpha, against = history.stake(whole), (*refused(result), *vetted.objections)
        current, candidate = judging.current.right, judging.candidate.right
        decision = decide(current, candidate, judging.left, against, alpha)
        accuracy = Accuracy(
            base=judging.base.share,
            current=judging.current.share,
            candidate=judging.candidate.share,
        )
        budget = Budget(alpha=alpha, left=history.left(whole), spent=history.spent)
        evidence = evidence_of(decision, result, self._recipe(chosen))
        found = {"accuracy": accuracy, "budget": budget, **vetted.told, **evidence}
        return report.model_copy(update=found)

    def _watched(
        self,
        judged: GenerationReport,
        chosen: Selected,
        judging: Judging,
        vetted: Vetted,
        history: History,
    ) -> GenerationReport:
        """Return the report with the alarms that the monitors give."""
        current, candidate = judging.current, judging.candidate
        probes_before, probes_after = vetted.replies
        seen = Seen(
            train=chosen.train,
            before=Graded(current.texts, current.right),
            after=Graded(candidate.texts, candidate.right),
            probes_before=probes_before,
            probes_after=probes_after,
            divergence=vetted.sampled.divergence if vetted.sampled else None,
            judged=(*history.judged, judgement_of(judged, judging, "")),
            nearest=self.nearest(judged.tenant),
        )
        return judged.model_copy(update={"alarms": watch(seen)})

    def _kept(
        self, judged: GenerationReport, chosen: Selected, judging: Judging, folder: str
    ) -> GenerationReport:
        """Register the version and remember the judgement; the champion again is no news."""
        adapter_id = self._register(judged, chosen, folder)
        if adapter_id != judged.current:
            self.judgements.add(judgement_of(judged, judging, adapter_id))
        return judged.model_copy(update={"adapter": adapter_id})

    async def _champion(self, tenant: str) -> AdapterVersion | None:
        """Return what is served on this base; a champion of another base serves nothing on it."""
        found = await asyncio.to_thread(self.registry.alias, tenant, "champion")
        return found if found is not None and found.base_model == self.base_model else None

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

    async def _vetted(
        self,
        judging: Judging,
        chosen: Selected,
        served: str | None,
        folder: str,
        tenant: str,
        alpha: float,
    ) -> Vetted:
        """Ask the guards; none where what came before decides."""
        if judging.look(alpha) is not Verdict.BETTER or not self.probes:
            return Vetted()
        near = await asyncio.to_thread(self._near, tenant, chosen)
        sampling = Sampling(self.sample, self.measure, self.grade)
        vetting = Vetting(
            self.generate, sampling if self.settings.samples else None, served, folder
        )
        return await vetting.of(near, self.probes, judging.records)

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

    async def sample(
        self, phase: str, prompts: Sequence[Conversation], adapter: str | None
    ) -> list[str]:
        """Likewise, by a draw that is the same every time."""
        limits = self.settings.max_new_tokens, self.settings.timeout_s
        progress = self._progress(phase)
        return await self.trainer.generate(prompts, adapter, *limits, progress, draw=Draw())

    async def measure(
        self, conversations: Sequence[Conversation], adapter: str | None
    ) -> list[Foreseen]:
        """Tell how well conversations are foreseen."""
        limits = Recipe().max_tokens, self.settings.timeout_s
        return await self.trainer.measure(conversations, adapter, *limits)

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
