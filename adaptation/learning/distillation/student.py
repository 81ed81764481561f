"""A student: another base that learns what a generation of the teacher would learn from.

The teacher selects, doubts and solves; the student learns that, by the recipe of its own size, and
is judged by its own gate, on its own budget. Both then stand side by side on held-out questions.
Never are two models in memory: the teacher is closed before the student is loaded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adaptation.errors import DistillationError, TrainerError
from adaptation.learning.distillation.asking import Asking
from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.comparison import (
    TRAINED,
    Answered,
    Comparison,
    Extent,
    StudentReport,
    compared,
)
from adaptation.learning.distillation.generation import Distiller
from adaptation.learning.distillation.material import Gathered
from adaptation.learning.distillation.registry import refuse_damaged, served_on
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.neighbours import plain
from memory.types import AdapterVersion, Record

MOST_COMPARED = 128
"""Held-out questions that all are asked: a share is then known to 9 points at worst."""


@dataclass(frozen=True)
class Side:
    """A base, with what runs generations on it."""

    distiller: Distiller
    model: str
    """Folder of the model, or its name on a hub."""


@dataclass(frozen=True)
class Teaching:
    """Has one base learn what another gathered."""

    teacher: Side
    student: Side
    extent_of: Callable[[str], Extent]
    """Size of a model, once it has been loaded, or of the adapter in a folder."""

    async def run(self, tenant: str) -> StudentReport:
        """Gather, train, judge and compare; raises `DistillationError`."""
        started = time.monotonic()
        registry = self.student.distiller.registry
        before = await asyncio.to_thread(registry.alias, tenant, "champion")
        champion = await self._served(tenant)
        try:
            # 1. The teacher: what is to be learned, and its own answers to what is held out.
            gathered = await self._gathered(tenant, champion)
            theirs = await self._taught(gathered, champion)
            await self.teacher.distiller.trainer.close()
            # 2. The student: a generation of its own, and its answers to the same.
            gathered = await self._taken_over(tenant, gathered)
            report = await self.student.distiller.run(tenant, given=gathered)
            mine = await self._learned(report, gathered)
        except TrainerError as error:
            raise DistillationError(f"the student could not be trained: {error}") from error
        # 3. Side by side.
        comparison = compared([*theirs, *mine]) if mine else None
        seconds = time.monotonic() - started
        return self._report(report, comparison, before).model_copy(update={"seconds": seconds})

    async def _served(self, tenant: str) -> AdapterVersion | None:
        """Return the teacher's champion, also where a student has taken its place."""
        teacher = self.teacher.distiller
        named = teacher.registry, tenant, teacher.base_model, "previous"
        champion = await asyncio.to_thread(served_on, *named)
        await asyncio.to_thread(refuse_damaged, teacher.registry, champion, None)
        return champion

    async def _gathered(self, tenant: str, champion: AdapterVersion | None) -> Gathered:
        """Return what the teacher would learn from, less what the student may not be judged by."""
        teacher, student = self.teacher.distiller, self.student.distiller
        own = await asyncio.to_thread(served_on, student.registry, tenant, student.base_model)
        mine, theirs = await student.history(tenant), await teacher.history(tenant)
        is_other = teacher.base_model != student.base_model
        history = History(mine.judged, theirs.judged if is_other else ())
        seen = frozenset(own.record_ids if own else ())
        gathered = await teacher.material().gathered(tenant, None, champion, history, seen)
        return Gathered(gathered.chosen, gathered.doubts, teacher.base_model)

    async def _taught(self, gathered: Gathered, champion: AdapterVersion | None) -> list[Answered]:
        if self.teacher.distiller.settings.dry_run:
            return []
        arms = {"teacher": None, "teacher's champion": champion}
        return await self._answers(self.teacher, arms, gathered)

    async def _taken_over(self, tenant: str, gathered: Gathered) -> Gathered:
        if self.student.distiller.settings.dry_run:
            return gathered
        return await self.student.distiller.material().taken_over(tenant, gathered)

    async def _learned(self, report: GenerationReport, gathered: Gathered) -> list[Answered]:
        if report.adapter is None:
            return []
        found = await asyncio.to_thread(self.student.distiller.registry.list, report.tenant)
        versions = {version.id: version for version in found}
        arms = {
            "student": None,
            "student's champion": versions.get(report.current or ""),
            TRAINED: versions[report.adapter],
        }
        return await self._answers(self.student, arms, gathered)

    async def _answers(
        self, side: Side, arms: dict[str, AdapterVersion | None], gathered: Gathered
    ) -> list[Answered]:
        """Ask the base, which comes first, and every adapter on it that there is."""
        asked = gathered.chosen.holdout[:MOST_COMPARED]
        first, *others = arms
        there = [first, *(name for name in others if arms[name] is not None)]
        return [await self._answered(side, name, arms[name], asked) for name in there]

    async def _answered(
        self, side: Side, name: str, version: AdapterVersion | None, asked: Sequence[Record]
    ) -> Answered:
        distiller = side.distiller
        asking = Asking(distiller.trainer, distiller.settings, distiller.on_progress)
        prompts = [conversation.until(-1) for conversation in plain(asked)]
        path = version.path if version else None
        generated = await asking.timed(f"compare {name}", prompts, path)
        extent = self.extent_of(side.model)
        pairs = zip(generated.texts, asked, strict=True)
        return Answered(
            name=name,
            model=distiller.base_model,
            adapter=version.id if version else None,
            extent=extent + self.extent_of(path) if path else extent,
            generated=generated,
            right={record.id: distiller.grade(text, record) for text, record in pairs},
        )

    def _report(
        self, report: GenerationReport, comparison: Comparison | None, before: AdapterVersion | None
    ) -> StudentReport:
        took_over = report.decision == "promoted"
        left = before if before and before.base_model != report.base_model else None
        return StudentReport(
            **dict(report),
            comparison=comparison,
            warnings=self._warnings(),
            displaced=left.id if left and took_over else None,
        )

    def _warnings(self) -> tuple[str, ...]:
        both = self.extent_of(self.teacher.model), self.extent_of(self.student.model)
        teacher, student = (extent.parameters for extent in both)
        if teacher is None or student is None or student < teacher:
            return ()
        return (
            f"the student is no smaller than the teacher: it has {student:,} parameters, "
            f"the teacher {teacher:,}",
        )
