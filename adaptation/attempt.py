"""One request's adapter, step by step: kept from an earlier one, or trained, handed over, examined.

Akyürek et al. 2024 (arXiv 2411.07279) for training on demonstrations at test time; Hübotter et
al. 2024 (arXiv 2410.08020) for the choice of neighbours. The gates are ours: published logs show
that training hurts more than a third of the tasks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adaptation.adapter_cache import Kept, Neighbourhood
from adaptation.engine import Engine
from adaptation.errors import EngineError, NoTurnError
from adaptation.examination import Examination
from adaptation.leases import Lease
from adaptation.neighbours import TrainingSet, training_conversations
from adaptation.pool import SamplePool
from adaptation.probing import check_applied
from adaptation.rendering import served
from adaptation.report import AdapterReport
from adaptation.services import Services
from adaptation.stopwatch import Stopwatch
from adaptation.training.gate import GateVerdict, judge_losses, judge_losses_alone
from adaptation.training.trainer import Recipe, TrainingJob, TrainingResult
from adaptation.types import Adapter, Query
from memory.errors import WhetMemoryError
from memory.types import Neighbour

logger = logging.getLogger(__name__)

TRAINING_SHARE = 0.5
"""Of the time left: what training may take with its waits. The samples need the rest, and on a
server that is so busy that trainings wait, they take longer too."""


LEAST_STEPS = 1 / 3
"""Share of a recipe's steps that must fit into the time: a training that is cut shorter teaches
next to nothing (8 of 64 steps: SmolLM2 answered none of 96 questions)."""


@dataclass(frozen=True)
class Adapted:
    """What training came to; without an adapter the answer comes from plain voting."""

    adapter: Adapter | None = None
    report: AdapterReport | None = None
    neighbours: tuple[Neighbour, ...] = ()
    """Those trained on or held out."""
    reason: str | None = None
    """Why there is no adapter."""

    def judged(self, verdict: GateVerdict) -> Adapted:
        """Return the same training with what the gate says of its adapter."""
        if not verdict.accepted:
            return self.unused(f"the gate refused the adapter: {verdict.reason}")
        report = self.report and self.report.model_copy(update={"reason": verdict.reason})
        return replace(self, report=report)

    def unused(self, reason: str) -> Adapted:
        """Return the same training without its adapter: what was spent stays on the account."""
        report = self.report and self.report.model_copy(
            update={"accepted": False, "reason": reason}
        )
        return replace(self, adapter=None, report=report, reason=reason)


class Attempt:
    """Makes an adapter for one request; what it holds belongs to `stack`.

    `outcome` says at any time what has been done so far.
    """

    def __init__(
        self,
        query: Query,
        chosen: TrainingSet,
        services: Services,
        clock: Stopwatch,
        pool: SamplePool,
        stack: AsyncExitStack,
    ) -> None:
        self.outcome = Adapted()
        self._query, self._chosen, self._services = query, chosen, services
        self._clock, self._pool, self._stack = clock, pool, stack
        self._recipe = _recipe(query, services.policy.recipe)
        records = [neighbour.record for neighbour in chosen.holdout]
        self.examination = Examination(
            query, records, services.engine, services.algebra, pool.bill_examination
        )

    async def run(self) -> None:
        """Find or make the adapter, or say in `outcome` why there is none."""
        place = Neighbourhood.of(
            self._query.tenant,
            self._neighbours,
            model=self._services.policy.model,
            base=self._query.base,
            recipe=self._recipe,
        )
        if kept := await self._kept(place):
            await self._hand_over(kept.folder, kept.rank, kept.report)
            return
        self._check_turn()
        folder = self._stack.enter_context(self._services.leases.folder())
        self.examination.begin()
        with self._clock.measure("train"):
            result = await self._trained(folder)
        if result is None:
            self.outcome = Adapted(
                reason="the model answers every held-out neighbour without training"
            )
            return
        self._pool.trained_tokens += result.tokens
        self.outcome = Adapted(report=_report(result), neighbours=self._neighbours)
        await self._judge(result, folder, place)

    @property
    def _neighbours(self) -> tuple[Neighbour, ...]:
        return (*self._chosen.train, *self._chosen.holdout)

    async def _kept(self, place: Neighbourhood) -> Kept | None:
        """Return what an earlier request left of the same neighbours, held until the end."""
        cache = self._services.kept
        if cache is None:
            return None
        try:
            await cache.follow(self._services.memory, self._query.tenant)
        except WhetMemoryError as error:
            logger.warning("what is kept of trainings was not looked through: %s", error)
            return None  # it may have learned what has been erased
        return self._stack.enter_context(cache.holding(place))

    def _check_turn(self) -> None:
        """Raise `NoTurnError` where a training is known not to begin in time.

        What is waited in vain is lost for the vote. With nobody ahead training is tried in any
        case, so that the estimate, which trainings make, never rules out the trainings that would
        correct it.
        """
        trainings, leases = self._services.trainings, self._services.leases
        usable_s = seconds_left(self._query) - trainings.typical_s
        patience_s = max(0.0, min(self._services.policy.train_wait_s, usable_s))
        # A name is needed when the training is over.
        expected_s = trainings.expected_wait_s
        expected_s += max(0.0, leases.expected_wait_s - trainings.typical_s)
        self._check_length(trainings.typical_s or self._services.policy.expected_train_s)
        if expected_s > patience_s:
            raise NoTurnError(
                f"too many trainings are before it: about {expected_s:.1f} s to wait, "
                f"and {patience_s:.1f} s to spare"
            )

    def _check_length(self, expected_s: float) -> None:
        """Raise `NoTurnError` where too few of the steps fit into the time to teach anything."""
        share = self._recipe.steps / self._services.policy.recipe.steps
        left_s = seconds_left(self._query)
        if expected_s * share * LEAST_STEPS > left_s:
            raise NoTurnError(
                f"a training takes about {expected_s * share:.0f} s here, and {left_s:.0f} s are "
                "left for it: allow more wall_s, or fewer train_steps"
            )

    async def _trained(self, folder: Path) -> TrainingResult | None:
        """Train; None where the base turns out to answer all that is held out, and needs none."""
        services = self._services
        # The trainer takes the deadline to heart: a slow job returns what it has by then.
        timeout_s = min(services.policy.train_timeout_s, seconds_left(self._query))
        training = services.trainings.run(services.trainer, await self._job(folder), timeout_s)
        return await _unless_passed(training, self.examination)

    async def _job(self, folder: Path) -> TrainingJob:
        parent = self._query.base
        learned = training_conversations(self._chosen.train)
        holdout = training_conversations(self._chosen.holdout)
        return TrainingJob(
            conversations=learned,
            holdout=holdout,
            recipe=self._recipe,
            output_dir=str(folder),
            parent=parent.path if parent else None,
            served=await served(self._query, (*learned, *holdout), self._services.engine),
        )

    async def _judge(self, result: TrainingResult, folder: Path, place: Neighbourhood) -> None:
        """Hand the adapter over where its losses fell, and have it answer what is held out."""
        verdict = judge_losses(result)
        if not verdict.accepted:
            self.outcome = self.outcome.judged(verdict)
            return
        await self._hand_over(folder, result.rank, _report(result))
        adapter = self.outcome.adapter
        assert adapter is not None
        with self._clock.measure("judge"):
            answered = await self.examination.judge(adapter)
        self.outcome = self.outcome.judged(answered or judge_losses_alone(result))
        if self.outcome.adapter is not None:
            self._keep(folder, result.rank, place)

    async def _hand_over(self, folder: Path, rank: int, report: AdapterReport) -> None:
        """Load the adapter under a name of its own, and make sure that the engine applies it."""
        query, services = self._query, self._services
        parent = query.base.version if query.base else None
        lease = await self._leased()
        version = f"ttt_{lease.id}"
        report = report.model_copy(update={"id": version, "parent": parent})
        adapter = Adapter(lease.name, lease.id, str(folder), version, rank, parent)
        self.outcome = replace(
            self.outcome, adapter=adapter, report=report, neighbours=self._neighbours
        )
        with self._clock.measure("hand_off"):
            # Before the load: one that fails or is given up half-way may have reached the engine.
            self._stack.push_async_callback(_drop, services.engine, adapter)
            await services.engine.load(adapter)
            await check_applied(services.engine, adapter, query.base)

    async def _leased(self) -> Lease:
        """Return a name for the adapter; raises `NoTurnError` where none comes free in time."""
        longest_s, leases = self._services.policy.train_wait_s, self._services.leases
        with self._clock.measure("queue"):
            try:
                async with asyncio.timeout(longest_s):
                    return await self._stack.enter_async_context(leases.lease())
            except TimeoutError as error:
                raise NoTurnError(f"every adapter was in use for {longest_s:.1f} s") from error

    def _keep(self, folder: Path, rank: int, place: Neighbourhood) -> None:
        """Keep an accepted adapter while it is used; its folder waits until that is done."""
        cache, report = self._services.kept, self.outcome.report
        if cache is not None and report is not None:
            reason = f"kept from an earlier request: {report.reason}"
            report = report.model_copy(update={"reason": reason})
            keeping = asyncio.create_task(cache.keep(place, folder, rank, report))
            self._stack.push_async_callback(_kept_or_said, keeping)


def seconds_left(query: Query) -> float:
    """Return what training may take of a request's time."""
    return max(0.0, TRAINING_SHARE * (query.deadline - time.monotonic()))


async def _unless_passed(
    training: Coroutine[Any, Any, TrainingResult], examination: Examination
) -> TrainingResult | None:
    """Await a training; give it up, and return None, where the base passes the examination."""
    job = asyncio.create_task(training)
    passing = asyncio.create_task(examination.is_passed())
    try:
        await asyncio.wait({job, passing}, return_when=asyncio.FIRST_COMPLETED)
        return None if not job.done() and passing.result() else await job
    finally:
        job.cancel()
        passing.cancel()
        await asyncio.gather(job, passing, return_exceptions=True)


def _recipe(query: Query, recipe: Recipe) -> Recipe:
    allowed = query.options.budget.train_steps or recipe.steps
    rank = query.base.rank if query.base else recipe.rank
    return recipe.model_copy(update={"steps": min(recipe.steps, allowed), "rank": rank})


def _report(result: TrainingResult) -> AdapterReport:
    return AdapterReport(
        id=None,
        parent=None,
        steps=result.steps,
        loss=(result.losses[0], result.losses[-1]),
        holdout_loss=(_mean(result.holdout_before), _mean(result.holdout_after)),
        accepted=True,
        reason="",
    )


async def _drop(engine: Engine, adapter: Adapter) -> None:
    """Unload; ids are never reused, so one that stays costs memory and no answer."""
    try:
        await engine.drop(adapter)
    except EngineError as error:
        logger.warning("adapter %s was not unloaded: %s", adapter.version, error)


async def _kept_or_said(keeping: asyncio.Task[None]) -> None:
    try:
        await keeping
    except OSError as error:
        logger.warning("an adapter was not kept: %s", error.strerror)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
