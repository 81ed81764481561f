"""One request's adapter, step by step: kept from an earlier one, or trained, handed over, examined.

Akyürek et al. 2024 (arXiv 2411.07279) for training on demonstrations at test time; Hübotter et
al. 2024 (arXiv 2410.08020) for the choice of neighbours. The gates are ours: published logs show
that training hurts more than a third of the tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from adaptation.errors import NoTurnError
from adaptation.learning.adapted import Adapted
from adaptation.learning.adapter_cache import Kept, Neighbourhood, content
from adaptation.learning.examination import Examination
from adaptation.learning.loaded import Loaded
from adaptation.learning.neighbours import TrainingSet, training_conversations
from adaptation.learning.time_to_train import check_allowance, check_time, seconds_left
from adaptation.learning.training.gate import GateVerdict, judge_losses, judge_losses_alone
from adaptation.learning.training.trainer import Recipe, Spent, TrainingJob, TrainingResult
from adaptation.rendering import served
from adaptation.report import AdapterReport
from adaptation.services import Services
from adaptation.stopwatch import Stopwatch
from adaptation.types import Adapter, Query
from adaptation.voting.pool import SamplePool
from memory.errors import WhetMemoryError
from memory.text import digest
from memory.types import Neighbour

logger = logging.getLogger(__name__)
T = TypeVar("T")


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
        self.place = Neighbourhood.of(
            query.tenant,
            self._neighbours,
            model=services.policy.model,
            base=query.base,
            recipe=self._recipe,
            refusals=services.policy.refusals,
        )
        held_out, further = (
            [neighbour.record for neighbour in some] for some in (chosen.holdout, chosen.reserve)
        )
        self.examination = Examination(
            query, held_out, services.engine, services.algebra, pool.bill_adapter, further
        )

    async def run(self) -> None:
        """Find or make the adapter, or say in `outcome` why there is none."""
        if (found := await self._found()) is None:
            async with self._turn():
                # Who waited for its turn finds what came of the others'.
                if (found := await self._found()) is None:
                    await self._make()
                    return
        if isinstance(found, Kept):
            await self._use(found)
        else:
            self.outcome = Adapted(reason=f"as an earlier request of these neighbours saw: {found}")

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until no other request trains on the same neighbours, where its adapter is kept."""
        async with AsyncExitStack() as stack:
            if self._services.kept is not None:
                with self._clock.measure("queue"):
                    turn = self._services.kept.single_flight.turn(self.place.key)
                    await stack.enter_async_context(turn)
            yield

    async def _make(self) -> None:
        """Train, and have the adapter judged."""
        check_allowance(self._query, self._services)
        check_time(self._query, self._recipe, self._services)
        folder = self._stack.enter_context(self._services.leases.folder())
        self.examination.begin()
        with self._clock.measure("train"):
            result = await self._trained(folder)
        if result is None:
            reason = "the model answers every held-out neighbour without training"
            self.outcome = Adapted(reason=reason)
            self._remember_refusal()
            return
        self.outcome = Adapted(None, _report(result), self._neighbours, losses=result.losses)
        verdict = await self._judge(result, folder)
        self.outcome = self.outcome.judged(verdict)
        if self.outcome.adapter is not None:
            await self._keep(folder, result.rank)
        elif result.cut_short:
            raise NoTurnError(f"{self.outcome.reason}; its training was cut short")
        elif verdict.is_final and not self.examination.was_cut:
            self._remember_refusal()

    @property
    def _neighbours(self) -> tuple[Neighbour, ...]:
        return (*self._chosen.train, *self._chosen.holdout)

    @property
    def _examined(self) -> str:
        """What a refusal is of: the neighbours, and whatever else their examination depends on."""
        query = self._query
        answer = query.options.answer.model_dump_json()
        further = sorted(content(each.record) for each in self._chosen.reserve)
        return digest(
            ["refused", self.place.key, dict(query.request), query.terms, answer, further]
        )

    async def _found(self) -> Kept | str | None:
        """Return what an earlier request left of the same neighbours, or why it left nothing.

        What is returned is held until the end.
        """
        cache = self._services.kept
        if cache is None:
            return None
        try:
            await cache.follow(self._services.memory, self._query.tenant)
        except WhetMemoryError as error:
            logger.warning("what is kept of trainings was not looked through: %s", error)
            return None  # it may have learned what has been erased
        await self._services.loaded.drop_others(cache.keys)
        kept = self._stack.enter_context(cache.holding(self.place))
        if kept is not None and not kept.is_whole:
            await cache.discard(self.place)
            kept = None
        return kept or cache.single_flight.refusal(self._examined)

    def _remember_refusal(self) -> None:
        if self._services.kept is not None and self.outcome.reason:
            self._services.kept.single_flight.refuse(self._examined, self.outcome.reason)

    async def _trained(self, folder: Path) -> TrainingResult | None:
        """Train; None where the base turns out to answer all that is held out, and needs none."""
        services = self._services
        # The trainer takes the deadline to heart: a slow job returns what it has by then.
        timeout_s = min(services.policy.train_timeout_s, seconds_left(self._query))
        job, tenant, spent = await self._job(folder), self._query.tenant, Spent()
        training = services.trainings.run(services.trainer, job, timeout_s, tenant, spent)
        try:
            return await _unless_passed(training, self.examination)
        finally:  # what was given up, or failed, has cost as much
            self._pool.trained_tokens += spent.tokens
            services.allowance.trained(tenant, spent.steps)

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
            refusals=self._services.policy.refusals,
            served=await served(self._query, (*learned, *holdout), self._services.engine),
        )

    async def _judge(self, result: TrainingResult, folder: Path) -> GateVerdict:
        """Hand the adapter over where its losses fell, and have it answer what is held out."""
        verdict = judge_losses(result)
        if not verdict.accepted:
            return verdict
        await self._hand_over(folder, result.rank, _report(result))
        adapter = self.outcome.adapter
        assert adapter is not None
        with self._clock.measure("judge"):
            return await self.examination.judge(adapter) or judge_losses_alone(result)

    async def _use(self, kept: Kept) -> None:
        """Sample through a kept adapter, which stays in the engine for the next request."""
        cache, loaded, key = self._services.kept, self._services.loaded, self.place.key
        assert cache is not None, "what is kept is in the cache"
        async with AsyncExitStack() as turn:  # who comes together loads once
            await self._in_queue(turn.enter_async_context(cache.single_flight.turn(key)))
            found = loaded.take(key)
            if found is None:
                found = await self._load(kept.folder, kept.rank)
                loaded.stay(key, found)
            self._stack.push_async_callback(loaded.leave, found)
        self._sample_through(found.adapter, kept.report)

    async def _hand_over(self, folder: Path, rank: int, report: AdapterReport) -> None:
        """Sample through an adapter that was just trained, which goes with its request."""
        found = await self._load(folder, rank)
        self._stack.push_async_callback(self._services.loaded.leave, found)
        self._sample_through(found.adapter, report)

    async def _load(self, folder: Path, rank: int) -> Loaded:
        lease = await self._in_queue(self._services.loaded.lease())
        with self._clock.measure("hand_off"):
            return await self._services.loaded.load(lease, folder, rank, self._query.base)

    def _sample_through(self, adapter: Adapter, report: AdapterReport) -> None:
        report = report.model_copy(update={"id": adapter.version, "parent": adapter.parent})
        self.outcome = replace(
            self.outcome, adapter=adapter, report=report, neighbours=self._neighbours
        )

    async def _in_queue(self, waiting: Awaitable[T]) -> T:
        """Wait for a place in the engine; raises `NoTurnError` where none comes free in time."""
        longest_s = self._services.policy.train_wait_s
        with self._clock.measure("queue"):
            try:
                async with asyncio.timeout(longest_s):
                    return await waiting
            except TimeoutError as error:
                raise NoTurnError(f"every adapter was in use for {longest_s:.1f} s") from error

    async def _keep(self, folder: Path, rank: int) -> None:
        """Keep an accepted adapter; its folder stays until that is done, whoever gives up."""
        cache, report = self._services.kept, self.outcome.report
        if cache is not None and report is not None:
            reason = f"kept from an earlier request: {report.reason}"
            report = report.model_copy(update={"reason": reason})
            keeping = asyncio.create_task(cache.keep(self.place, folder, rank, report))
            self._stack.push_async_callback(_kept_or_said, keeping)
            await asyncio.wait([keeping])


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


async def _kept_or_said(keeping: asyncio.Task[None]) -> None:
    try:
        await keeping
    except OSError as error:
        logger.warning("an adapter was not kept: %s", error.strerror)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
