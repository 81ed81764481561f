"""One generation of offline distillation: select → train → evaluate → gate → promote or reject.

Every generation restarts from the base (ReST-EM, arXiv 2312.06585: same score on the task, better
transfer), unless it is given a parent, on all that is verified by now, and must beat what is served
now on held-out questions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from adaptation.errors import DistillationError, TrainerError
from adaptation.learning.candidates.kept import Kept, KeptHere
from adaptation.learning.candidates.scoring import Vectors, by_wording
from adaptation.learning.distillation.archive import Parentage, find_parent, parent_again
from adaptation.learning.distillation.asking import Asking
from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.early import Early
from adaptation.learning.distillation.far import far_probes
from adaptation.learning.distillation.gate import Verdict, decide
from adaptation.learning.distillation.guarding import Guard
from adaptation.learning.distillation.judging import Grade, Judge, Judging
from adaptation.learning.distillation.keeping import Keeping
from adaptation.learning.distillation.material import Gathered, Material, OnProgress
from adaptation.learning.distillation.near import NearProbe, drawn_near
from adaptation.learning.distillation.registry import (
    JudgementList,
    Judgements,
    Registry,
    refuse_damaged,
    served_on,
)
from adaptation.learning.distillation.replay import base_replies, rehearsals
from adaptation.learning.distillation.report import Accuracy, Budget, GenerationReport
from adaptation.learning.distillation.select import Records, Selected
from adaptation.learning.distillation.settings import Settings as Settings
from adaptation.learning.distillation.target import Target
from adaptation.learning.distillation.telling import (
    evidence_of,
    judgement_of,
    refused,
    report_of,
)
from adaptation.learning.distillation.vetting import Vetted, Vetting, drawn_ahead
from adaptation.learning.monitors.returns import returns_of
from adaptation.learning.monitors.watch import Graded, Seen, watch
from adaptation.learning.neighbours import plain
from adaptation.learning.scratch import remove_left, scratch
from adaptation.learning.training.recipes import distillation_recipe
from adaptation.learning.training.trainer import (
    Generated,
    GeneratingTrainer,
    Recipe,
    TrainingJob,
    TrainingResult,
)
from memory.types import AdapterVersion


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
    kept: Kept = field(default_factory=KeptHere)
    """Scores, selections and written solutions."""
    vectors: Vectors = by_wording
    """Vectors of questions, to tell what is novel."""
    nearest: Callable[[str], Sequence[float]] = lambda tenant: ()
    """How near to memory the questions of a tenant were lately."""
    target: Target | None = None
    """What is aimed at; None: held-out questions of the tenant's records judge."""
    job: str | None = None
    """The job that has a generation run; one that goes on after a kill makes no second."""

    @property
    def _keeping(self) -> Keeping:
        return Keeping(self.registry, self.judgements, self.kept, self.base_model, self.job)

    @property
    def _asking(self) -> Asking:
        return Asking(self.trainer, self.settings, self.on_progress)

    async def run(
        self,
        tenant: str,
        rebuilt: AdapterVersion | None = None,
        given: Gathered | None = None,
    ) -> GenerationReport:
        """Run one generation; raises `DistillationError` when it cannot start or finish.

        `rebuilt` is a version to be trained again, from what is left of its records: with the same
        base and seed that comes, on a CPU, to the bytes of one that never saw the others. What is
        `given` was gathered for this base already.
        """
        started = time.monotonic()
        history = await self.history(tenant)
        if (made := await asyncio.to_thread(self._keeping.made, tenant)) is not None:
            return made
        await asyncio.to_thread(remove_left)
        try:
            async with base_replies(self._asking.beside() or self._asking) as replies:
                report = await self._run(tenant, rebuilt, given, history, replies)
        except TrainerError as error:
            raise DistillationError(f"the generation failed: {error}") from error
        return report.model_copy(update={"seconds": time.monotonic() - started})

    async def _run(
        self,
        tenant: str,
        rebuilt: AdapterVersion | None,
        given: Gathered | None,
        history: History,
        replies: Early[Generated],
    ) -> GenerationReport:
        champion = await asyncio.to_thread(served_on, self.registry, tenant, self.base_model)
        parentage = await asyncio.to_thread(self._parentage, tenant, rebuilt)
        found = given or await self.material(partial(self._rehearse_early, replies)).gathered(
            tenant, rebuilt, champion, history, parentage.seen
        )
        known = (self.base_model, found, champion, rebuilt, parentage, self.target)
        report = report_of(tenant, *known)
        if self.settings.dry_run:
            return report
        parent = parentage.version
        return await self._learn(report, found.chosen, champion, history, parent, replies)

    async def history(self, tenant: str) -> History:
        """Return what the gate has judged on this base."""
        return await asyncio.to_thread(self._keeping.history, tenant)

    def material(self, on_loaded: Callable[[], object] = lambda: None) -> Material:
        """Return what finds the records for a generation on this base."""
        return Material(
            self.records,
            self.trainer,
            self.grade,
            self.settings,
            self.on_progress,
            self.kept,
            self.vectors,
            self.base_model,
            self.target,
            on_loaded,
        )

    @property
    def _grade(self) -> Grade:
        return self.target.grading(self.grade) if self.target else self.grade

    async def _learn(
        self,
        report: GenerationReport,
        chosen: Selected,
        champion: AdapterVersion | None,
        history: History,
        parent: AdapterVersion | None,
        replies: Early[Generated],
    ) -> GenerationReport:
        await asyncio.to_thread(refuse_damaged, self.registry, champion, parent)
        started = time.monotonic()
        path, alpha = champion.path if champion else None, history.stake(self.settings.alpha)
        with scratch() as folder:
            known = (self.probes, chosen.holdout, path)
            async with (
                drawn_ahead(partial(self._near, report.tenant, chosen)) as near,
                Vetting(self._asking, self._grade, near, *known) as vetting,
            ):
                # 1. A candidate from its parent, beside what is served, on the same questions.
                job = await self._job(chosen, replies, folder, parent)
                vetting.begin()
                step = self._asking.progress("train")
                result = await self.trainer.train(job, self.settings.timeout_s, step)
                judging = await Judge(self._asking.generate, self._grade, path).judge(
                    chosen.holdout, folder, alpha
                )
                # 2. The guards, where the answers speak for the candidate.
                is_better = judging.look(alpha) is Verdict.BETTER
                vetted = await vetting.of(folder) if is_better else Vetted()
            judged = self._judged(report, chosen, judging, vetted, result, history, parent)
            # 3. The version, and what was found of it, whatever became of it.
            judged = judged.model_copy(update={"seconds": time.monotonic() - started})
            judged = await asyncio.to_thread(
                self._watched, judged, chosen, judging, vetted, history
            )
            return await asyncio.to_thread(self._keeping.keep, judged, chosen, folder)

    def _judged(
        self,
        report: GenerationReport,
        chosen: Selected,
        judging: Judging,
        vetted: Vetted,
        result: TrainingResult,
        history: History,
        parent: AdapterVersion | None,
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
        recipe = self._recipe(chosen, parent)
        evidence = evidence_of(decision, result, recipe, self.settings.first)
        found = {"accuracy": accuracy, "budget": budget, **vetted.told, **evidence}
        if report.target is not None:
            aim = {"asked": decision.asked, "right": accuracy}
            found["target"] = report.target.model_copy(update=aim)
        return report.model_copy(update=found)

    def _watched(
        self,
        judged: GenerationReport,
        chosen: Selected,
        judging: Judging,
        vetted: Vetted,
        history: History,
    ) -> GenerationReport:
        """Return the report with the alarms that the monitors give, and the return."""
        current, candidate = judging.current, judging.candidate
        probes_before, probes_after = vetted.replies
        judgement = judgement_of(judged, [record.id for record in chosen.holdout])
        seen = Seen(
            train=chosen.train,
            before=Graded(current.texts, current.right),
            after=Graded(candidate.texts, candidate.right),
            probes_before=probes_before,
            probes_after=probes_after,
            divergence=vetted.sampled.divergence if vetted.sampled else None,
            judged=(*history.judged, judgement),
            nearest=self.nearest(judged.tenant),
        )
        tokens = judged.training.tokens if judged.training else 0
        found = {"alarms": watch(seen), "returns": returns_of(judgement, tokens)}
        return judged.model_copy(update=found)

    def _parentage(self, tenant: str, rebuilt: AdapterVersion | None) -> Parentage:
        if rebuilt is not None:
            return parent_again(self.registry, tenant, rebuilt)
        how = self.settings.parent, self.settings.archive
        return find_parent(self.registry, tenant, self.base_model, *how)

    def _recipe(self, chosen: Selected, parent: AdapterVersion | None) -> Recipe:
        """Return how it is trained; what is trained on keeps its rank."""
        recipe = self.settings.recipe or distillation_recipe(
            self.trainer.parameters, len(chosen.train)
        )
        return recipe.model_copy(update={"rank": parent.rank}) if parent else recipe

    def _rehearse_early(self, replies: Early[Generated]) -> None:
        """Have the base reply now to what is rehearsed, where somebody is free."""
        if self.settings.rehearse and self._asking.beside() is not None:
            replies.begin()

    async def _job(
        self,
        chosen: Selected,
        replies: Early[Generated],
        folder: str,
        parent: AdapterVersion | None,
    ) -> TrainingJob:
        rehearse, n_records = self.settings.rehearse, len(chosen.train)
        known = rehearsals(await replies.found(), n_records) if rehearse else []
        return TrainingJob(
            conversations=(*plain(chosen.train), *known),
            recipe=self._recipe(chosen, parent),
            output_dir=folder,
            parent=parent.path if parent else None,
            refusals=self.settings.refusals,
        )

    async def _near(self, tenant: str, chosen: Selected, seed: int) -> Sequence[NearProbe]:
        """Draw near guards, where guards are asked at all."""
        known = (self.records, tenant, chosen, self.vectors, seed)
        return await asyncio.to_thread(drawn_near, *known) if self.probes else ()
