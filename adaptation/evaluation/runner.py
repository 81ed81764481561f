"""The run: every question of the plan under every arm, some at once, each kept as it comes in.

An arm's questions of one suite are asked together, so that its latencies are those of its own load.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from adaptation.evaluation.arms import ARMS
from adaptation.evaluation.arms.arm import Outcome, Question, Settings
from adaptation.evaluation.examples import Library
from adaptation.evaluation.exchange import NO_REPLY
from adaptation.evaluation.plan import Plan, World
from adaptation.evaluation.results import Results, ResultsWriter
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.suite import Group, Suite
from adaptation.evaluation.target import RequestRefusedError, Target
from adaptation.evaluation.teaching import Teacher
from adaptation.evaluation.trial import Case, Trial

OnProgress = Callable[[str, int, int], None]
"""(suite and arm at work, cases done, cases in all)."""

MAX_SEED = 2**31


@dataclass(frozen=True)
class Asked:
    """A case with what it takes to ask it."""

    case: Case
    world: World
    problem: Solved


@dataclass
class Runner:
    """Asks what a plan holds and has not been answered yet."""

    plan: Plan
    arms: Sequence[str]
    target: Target
    library: Library | None
    teacher: Teacher
    settings: Settings
    parallel: int
    on_progress: OnProgress = lambda what, done, total: None

    async def run(self, results: Results, writer: ResultsWriter) -> None:
        """Fill up `results`; raises `ServerGoneError` where the server stays away."""
        done, cases = results.done(), list(self._cases())
        open_cases = [asked for asked in cases if asked.case not in done]
        total, finished = len(cases), len(cases) - len(open_cases)
        self.on_progress("", finished, total)
        if self.library is not None:
            for world in self.plan.worlds:
                self.library.add(world.examples)
        async with self.teacher.taught(self._learned()):
            async for trial in self._answered(open_cases):
                finished += 1
                results.add(trial)
                writer.append(trial)
                self.on_progress(f"{trial.case.suite}: {trial.case.arm}", finished, total)

    def _cases(self) -> Iterator[Asked]:
        for suite in self.plan.suites:
            for arm in self.arms:
                if applies(arm, suite):
                    for world in self.plan.of_suite(suite):
                        for number, problem in enumerate(world.problems):
                            yield Asked(_case(world, number, arm), world, problem)

    def _learned(self) -> list[World]:
        """The worlds whose examples the server has to know."""
        if not any(ARMS[arm].needs_whet and ARMS[arm].needs_examples for arm in self.arms):
            return []
        return [world for world in self.plan.worlds if world.suite.group is not Group.GUARD]

    async def _answered(self, asked: Sequence[Asked]) -> AsyncIterator[Trial]:
        """Trials as they are finished, `parallel` under way; another arm waits for the last one."""
        for _, together in groupby(asked, _kind):
            async for trial in self._batch(list(together)):
                yield trial

    async def _batch(self, asked: Sequence[Asked]) -> AsyncIterator[Trial]:
        slots = asyncio.Semaphore(self.parallel)

        async def one(each: Asked) -> Trial:
            async with slots:
                return await self._trial(each)

        tasks = [asyncio.create_task(one(each)) for each in asked]
        try:
            for finished in asyncio.as_completed(tasks):
                yield await finished
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _trial(self, asked: Asked) -> Trial:
        question = Question(
            problem=asked.problem,
            suite=asked.world.suite,
            target=self.target,
            library=self.library,
            task=self.teacher.task(asked.world),
            settings=self.settings,
            seed=request_seed(self.plan.seed, asked.problem.question),
        )
        try:
            outcome = await ARMS[asked.case.arm].answer(question)
        except RequestRefusedError as error:
            return _blank(asked, f"request refused: {error}", refused=True)
        return judged(asked, outcome)


def applies(arm: str, suite: Suite) -> bool:
    """Whether an arm is asked about a suite: guards have nothing to learn from examples."""
    return not (suite.group is Group.GUARD and ARMS[arm].needs_examples)


def request_seed(seed: int, question: str) -> int:
    """The sampling seed of a question: the same in every arm and every run."""
    return zlib.crc32(f"{seed} {question}".encode()) % MAX_SEED


def judged(asked: Asked, outcome: Outcome) -> Trial:
    """Put the suite's verifier to an outcome; one that raises is noted as an error."""
    verify = asked.world.suite.verify
    try:
        right = verify(asked.problem, outcome.judged)
        seen = [verify(asked.problem, text) for text in outcome.seen]
    except Exception as error:  # noqa: BLE001  (a suite's own code may raise anything)
        return _blank(asked, f"verifier raised {type(error).__name__}: {error}", outcome)
    trial = _blank(asked, None, outcome)
    return trial.model_copy(
        update={
            "right": right,
            "any_right": any(seen) if seen else None,
            "share_right": sum(seen) / len(seen) if seen else None,
        }
    )


def _blank(
    asked: Asked, error: str | None, outcome: Outcome | None = None, *, refused: bool = False
) -> Trial:
    """A trial without a verdict, with whatever it cost."""
    reply = outcome.reply if outcome and outcome.reply else NO_REPLY
    return Trial(
        case=asked.case,
        group=asked.world.suite.group,
        question=asked.problem.question,
        reply=outcome.judged if outcome else "",
        right=False,
        error=error,
        refused=refused,
        samples=reply.samples,
        prompt_tokens=reply.prompt_tokens,
        generated_tokens=reply.generated_tokens,
        training_tokens=reply.training_tokens,
        seconds=reply.seconds,
        fallback=reply.fallback,
        first_sample=reply.first_sample,
        retried=reply.retried,
    )


def _case(world: World, number: int, arm: str) -> Case:
    return Case(
        suite=world.suite.name, level=world.level, world=world.world, number=number, arm=arm
    )


def _kind(asked: Asked) -> tuple[str, str]:
    return asked.case.suite, asked.case.arm
