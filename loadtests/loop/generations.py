"""Generations that nobody watches: memory grows, each is distilled, and what is served is asked.

One tenant for each target, in one memory. What was done before is not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from adaptation.errors import DistillationError
from adaptation.evaluation.examples import draft_of
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import Group, Suite, up_to
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.training.trainer import OnStep
from loadtests.loop.place import Place
from loadtests.loop.sampling import MOST_TOKENS, Question, Sampler
from loadtests.measure.loop import BASE, Asked, Generation
from memory.memory import LongTermMemory
from memory.types import AdapterVersion
from server.jobs.kinds.distill import gives_answer
from server.terminal import AdvancePhase

EVERYDAY = (Group.IN_DISTRIBUTION, Group.GUARD)


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    generations: int
    first: int
    """Records before the first generation."""
    more: int
    """Records that come with each later one."""
    questions: int
    """Asked of the target."""
    everyday: int
    """Asked of every everyday suite."""
    world: int
    seed: int
    settings: Settings = field(default_factory=lambda: Settings(max_new_tokens=MOST_TOKENS))


@dataclass(frozen=True)
class Loop:
    """The generations of all targets."""

    plan: Plan
    place: Place
    memory: LongTermMemory
    sampler: Sampler
    base_model: str
    advance: AdvancePhase

    async def run(self, suite: Suite) -> None:
        """Do what is left to do of one target."""
        done = [each for each in self.place.generations if each.target == suite.name]
        if not done:
            base = Generation(
                target=suite.name, number=0, decision="base", reasons=(), served=BASE, records=0
            )
            self._keep(base)
        await self._ask(suite, done[-1].served if done else BASE)
        for number in range(max(1, len(done)), self.plan.generations + 1):
            generation = await self._generation(suite, number)
            self._keep(generation)
            await self._ask(suite, generation.served)

    def _keep(self, generation: Generation) -> None:
        self.place.keep(generation)
        if generation.number:
            of = f"{generation.number} of {self.plan.generations}"
            why = "; ".join(generation.reasons)
            print(f"{generation.target}, generation {of}: {generation.decision}: {why}", flush=True)

    async def _generation(self, suite: Suite, number: int) -> Generation:
        """Let memory grow, and distil it."""
        records = self.plan.first + (number - 1) * self.plan.more
        self.memory.save_many(
            [draft_of(suite.name, each) for each in self._drawn(suite, records, Split.MEMORY)]
        )
        known = {"target": suite.name, "number": number, "records": records}
        distiller = Distiller(
            self.memory,
            self.memory.adapters,
            self.sampler.trainer,
            self.base_model,
            gives_answer,
            self.plan.settings,
            on_progress=self.advance,
            judgements=self.memory.judgements,
        )
        try:
            report = await distiller.run(suite.name)
        except DistillationError as error:
            if error.__cause__ is not None:  # it broke
                raise
            halted = {"decision": "halted", "reasons": (str(error),), "served": self._served(suite)}
            return Generation.model_validate(known | halted)
        found = {
            "decision": report.decision,
            "reasons": report.reasons,
            "served": self._served(suite),
            "held": len(report.doubts),
            "train": report.train,
            "seconds": report.seconds,
            "alarms": tuple(alarm.monitor for alarm in report.alarms),
        }
        return Generation.model_validate(known | found)

    async def _ask(self, suite: Suite, version: str) -> None:
        """Ask a version, unless that was done."""
        if any((each.target, each.version) == (suite.name, version) for each in self.place.asked):
            return
        found = None if version == BASE else self.memory.adapters.show(suite.name, version)
        target = [Question(suite, each) for each in self._fresh(suite)]
        everyday = [
            Question(other, each)
            for other in SUITES.values()
            if other.group in EVERYDAY and other is not suite
            for each in self._drawn(other, self.plan.everyday, Split.DEVELOPMENT)
        ]
        asked = self._placed([*target, *everyday], suite, found)
        said = await self.sampler.ask(asked, found.path if found else None, self._step(version))
        of_target, others = said[: len(target)], said[len(target) :]
        self.place.keep(
            Asked(target=suite.name, version=version, questions=of_target, everyday=others)
        )

    def _fresh(self, suite: Suite) -> list[Solved]:
        return self._drawn(suite, self.plan.questions, Split.DEVELOPMENT)

    def _drawn(self, suite: Suite, count: int, split: Split) -> list[Solved]:
        plan, level = self.plan, suite.default_level
        return up_to(count, suite, split=split, seed=plan.seed, level=level, world=plan.world)

    def _placed(
        self, questions: Sequence[Question], suite: Suite, version: AdapterVersion | None
    ) -> list[Question]:
        """Return the questions with how near each is to what the version learned from."""
        if version is None:
            return list(questions)
        records = (self.memory.get(suite.name, record_id) for record_id in version.record_ids)
        learned = self._vectors([record.question for record in records])  # (r, d)
        asked = self._vectors([each.solved.question for each in questions])  # (n, d)
        nearest = (asked @ learned.T).max(axis=1)  # (n,)
        pairs = zip(questions, nearest, strict=True)
        return [replace(question, near=float(near)) for question, near in pairs]

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        return self.memory.embedder.embed(list(texts))

    def _served(self, suite: Suite) -> str:
        champion = self.memory.adapters.alias(suite.name, "champion")
        return champion.id if champion else BASE

    def _step(self, version: str) -> OnStep:
        return lambda done, total, loss: self.advance(f"ask {version}", done, total)
