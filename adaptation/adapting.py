"""Test-time training of one request: select, train, gate, hand over, and clean up.

Akyürek et al. 2024 (arXiv 2411.07279) for training on demonstrations at test time; Hübotter et
al. 2024 (arXiv 2410.08020) for the choice of neighbours. The held-out gate is ours: published
logs show that training hurts more than a third of the tasks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from adaptation.conversation import Conversation
from adaptation.engine import Engine
from adaptation.errors import EngineError, NoTurnError, TrainerError
from adaptation.leases import Lease
from adaptation.neighbours import TrainingSet, select_training_set, training_conversations
from adaptation.policy import Policy
from adaptation.probing import check_applied
from adaptation.report import AdapterReport
from adaptation.services import Services
from adaptation.stopwatch import Stopwatch
from adaptation.training.gate import judge
from adaptation.training.trainer import Served, TrainingJob, TrainingResult
from adaptation.types import Adapter, Query
from memory.types import Neighbour

logger = logging.getLogger(__name__)

TRAINING_SHARE = 0.5
"""Of the time left: what training may take with its waits. The samples need the rest, and on a
server that is so busy that trainings wait, they take longer too."""


@dataclass(frozen=True)
class Adapted:
    """What training came to; without an adapter the answer comes from plain voting."""

    adapter: Adapter | None = None
    report: AdapterReport | None = None
    neighbours: tuple[Neighbour, ...] = ()
    """Those trained on or held out."""
    trained_tokens: int = 0
    reason: str | None = None
    """Why there is no adapter."""

    def unused(self, reason: str) -> Adapted:
        """Return the same training without its adapter: what was spent stays on the account."""
        report = self.report and self.report.model_copy(
            update={"accepted": False, "reason": reason}
        )
        return replace(self, adapter=None, report=report, reason=reason)


@asynccontextmanager
async def adapted(
    query: Query, neighbours: Sequence[Neighbour], services: Services, clock: Stopwatch
) -> AsyncIterator[Adapted]:
    """Train on `neighbours` and hold the adapter in the engine for the length of the block.

    Never raises `TrainerError` or `EngineError` on the way in: it yields the reason instead.
    """
    outcome = Adapted()
    async with AsyncExitStack() as stack:
        try:
            # Waiting for a lease counts too.
            async with asyncio.timeout(_longest_s(query, services.policy)):
                outcome = await _train(query, neighbours, services, clock, stack)
                if outcome.adapter is not None:
                    with clock.measure("hand_off"):
                        await _hand_over(outcome.adapter, query.base, services.engine, stack)
        except NoTurnError as error:
            outcome = outcome.unused(str(error))
        except TrainerError as error:
            outcome = outcome.unused(f"training failed: {error}")
        except EngineError as error:
            outcome = outcome.unused(f"the engine did not take the adapter: {error}")
        except TimeoutError:
            outcome = outcome.unused("the deadline left no time for training")
        except OSError as error:
            outcome = outcome.unused(f"no room for the adapter's files: {error.strerror}")
        if outcome.reason:
            logger.info("request %s is answered without an adapter: %s", query.id, outcome.reason)
        yield outcome


def _seconds_left(query: Query) -> float:
    """Return what training may take of a request's time."""
    return max(0.0, TRAINING_SHARE * (query.deadline - time.monotonic()))


def _longest_s(query: Query, policy: Policy) -> float:
    """Return what training may take with all its waits; also bounds what has no deadline."""
    return min(_seconds_left(query), policy.train_wait_s + policy.train_timeout_s)


async def _train(
    query: Query,
    neighbours: Sequence[Neighbour],
    services: Services,
    clock: Stopwatch,
    stack: AsyncExitStack,
) -> Adapted:
    with clock.measure("select"):
        chosen = select_training_set(
            neighbours,
            count=services.policy.neighbours + services.policy.holdout,
            holdout=services.policy.holdout,
            min_similarity=services.policy.min_similarity,
        )
    with clock.measure("queue"):
        lease = await _lease_in_time(query, services, stack)
    with clock.measure("train"):
        job = await _job(query, chosen, lease, services)
        # The trainer takes the deadline to heart: a slow job returns what it has by then.
        timeout_s = min(services.policy.train_timeout_s, _seconds_left(query))
        result = await services.trainings.run(services.trainer, job, timeout_s)
    verdict = judge(result)
    adapter = _adapter(lease, result, query.base)
    return Adapted(
        adapter=adapter if verdict.accepted else None,
        report=_report(adapter, result, verdict.accepted, verdict.reason),
        neighbours=(*chosen.train, *chosen.holdout),
        trained_tokens=result.tokens,
        reason=None if verdict.accepted else f"the gate refused the adapter: {verdict.reason}",
    )


async def _lease_in_time(query: Query, services: Services, stack: AsyncExitStack) -> Lease:
    """Return a lease, held by `stack`, if training with it can begin in time.

    Raises `NoTurnError` at once where the wait is known to be too long: what is waited in vain is
    lost for the vote. With nobody ahead training is tried in any case, so that the estimates,
    which trainings make, never rule out the trainings that would correct them.
    """
    trainings, leases = services.trainings, services.leases
    usable_s = _seconds_left(query) - trainings.typical_s
    patience_s = max(0.0, min(services.policy.train_wait_s, usable_s))
    expected_s = leases.expected_wait_s + trainings.expected_wait_s
    if expected_s > patience_s:
        raise NoTurnError(
            f"too many trainings are before it: about {expected_s:.1f} s to wait, "
            f"and {patience_s:.1f} s to spare"
        )
    try:
        async with asyncio.timeout(patience_s):
            return await stack.enter_async_context(leases.lease())
    except TimeoutError as error:
        raise NoTurnError(f"no training could begin within {patience_s:.1f} s") from error


async def _served(query: Query, learned: Sequence[Conversation], engine: Engine) -> Served:
    """Return the prompt as the engine has it: an adapter trained on another would not fit."""
    ids = engine.prompt_ids(query)
    if ids is None:
        raise TrainerError("the prompt holds more than tokens, which is all that is learned from")
    prompts = [conversation.until(-1) for conversation in learned]
    try:
        rendered = [(prompt, await engine.rendered(prompt)) for prompt in prompts]
    except EngineError as error:
        raise TrainerError(f"the server cannot render a neighbour's prompt: {error}") from error
    return Served(
        conversation=query.conversation,
        token_ids=ids,
        neighbours=tuple(
            Served(conversation=prompt, token_ids=theirs)
            for prompt, theirs in rendered
            if theirs is not None
        ),
    )


async def _job(query: Query, chosen: TrainingSet, lease: Lease, services: Services) -> TrainingJob:
    parent, recipe = query.base, services.policy.recipe
    allowed = query.options.budget.train_steps or recipe.steps
    changes = {"steps": min(recipe.steps, allowed), "rank": parent.rank if parent else recipe.rank}
    learned = training_conversations(chosen.train)
    holdout = training_conversations(chosen.holdout)
    return TrainingJob(
        conversations=learned,
        holdout=holdout,
        recipe=recipe.model_copy(update=changes),
        output_dir=str(lease.folder),
        parent=parent.path if parent else None,
        served=await _served(query, (*learned, *holdout), services.engine),
    )


def _adapter(lease: Lease, result: TrainingResult, parent: Adapter | None) -> Adapter:
    return Adapter(
        name=lease.name,
        id=lease.id,
        path=result.path,
        version=f"ttt_{lease.id}",
        rank=result.rank,
        parent=parent.version if parent else None,
    )


def _report(adapter: Adapter, result: TrainingResult, accepted: bool, reason: str) -> AdapterReport:
    return AdapterReport(
        id=adapter.version,
        parent=adapter.parent,
        steps=result.steps,
        loss=(result.losses[0], result.losses[-1]),
        holdout_loss=(_mean(result.holdout_before), _mean(result.holdout_after)),
        accepted=accepted,
        reason=reason,
    )


async def _hand_over(
    adapter: Adapter, base: Adapter | None, engine: Engine, stack: AsyncExitStack
) -> None:
    """Load the adapter, see to its unloading, and make sure that the engine applies it."""
    # Before the load: one that fails or is given up half-way may have reached the engine.
    stack.push_async_callback(_drop, engine, adapter)
    await engine.load(adapter)
    await check_applied(engine, adapter, base)


async def _drop(engine: Engine, adapter: Adapter) -> None:
    """Unload; ids are never reused, so one that stays costs memory and no answer."""
    try:
        await engine.drop(adapter)
    except EngineError as error:
        logger.warning("adapter %s was not unloaded: %s", adapter.version, error)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
