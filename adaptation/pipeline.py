"""A request's way through adaptation, from the question to the report."""

from __future__ import annotations

from functools import partial

from adaptation.learning.adapted import Adapted
from adaptation.learning.adapting import adapted
from adaptation.learning.overlap import Overlap
from adaptation.plan import make_plan, needs_more
from adaptation.recall import Recalled, recall
from adaptation.remember import remember
from adaptation.report import StopReason
from adaptation.reporting import make_outcome
from adaptation.reuse import remembered
from adaptation.services import Services
from adaptation.stopwatch import Stopwatch
from adaptation.types import Outcome, Query
from adaptation.verify import verify
from adaptation.voting.pool import SamplePool
from adaptation.voting.voting import Voting


async def answer(query: Query, services: Services) -> Outcome:
    """Answer `query` by voting, after training where that was asked for and is possible.

    Raises `EngineError` where every sample failed, and `DeadlineError`. Whatever else fails falls
    back to a lighter strategy, and the report says so.
    """
    clock, options = Stopwatch(), query.options
    if (known := await remembered(query, services, clock)) is not None:
        return known
    recalled, voting = await _retrieve(query, services, clock)
    plan = make_plan(options, query.choices, recalled.neighbours, services.policy)
    async with SamplePool(services.engine, query, options.budget.tokens) as pool:
        train = partial(adapted, query, recalled.neighbours, services, clock, pool)
        training, stop = Adapted(), None
        async with Overlap(train) as overlap:
            if plan.vote_first:
                voting.doubted = overlap.begin if plan.train else None
                with clock.measure("sample"):
                    stop = await voting.poll(pool, options.max_samples // 2, query.base)
            if not (plan.train and needs_more(stop, voting.confidence, options)):
                training = await overlap.give_up()
            elif (training := await overlap.result()).adapter is not None:
                fresh = await services.voting(query, recalled.close, trained=True)
                with clock.measure("sample"):
                    left = options.max_samples - pool.launched
                    stop = await fresh.poll(pool, left, training.adapter)
                training, voting, stop = _standing(query, training, voting, fresh, stop)
        if training.adapter is None and needs_more(stop, voting.confidence, options):
            with clock.measure("sample"):
                stop = await voting.poll(pool, options.max_samples, query.base)
        assert stop is not None  # one of the three polls took place
        vote = await voting.conclude(pool, stop)
        with clock.measure("verify"):
            verified = await verify(query, vote)
        with clock.measure("remember"):
            saved = await remember(query, verified, training, services)
        return make_outcome(query, pool, recalled, plan, training, verified, saved, clock)


async def _retrieve(query: Query, services: Services, clock: Stopwatch) -> tuple[Recalled, Voting]:
    """Return the neighbours of the question, and a vote that knows how those near it fell."""
    with clock.measure("retrieve"):
        recalled = await recall(query, services)
        return recalled, await services.voting(query, recalled.close)


def _standing(
    query: Query, training: Adapted, voting: Voting, fresh: Voting, stop: StopReason
) -> tuple[Adapted, Voting, StopReason | None]:
    """Return the vote that stands once `fresh` was drawn through the adapter, and why it ended."""
    if stop is StopReason.FAILED and not fresh.tally.total:
        failed = training.unused("the engine failed every sample through it")
        return failed, voting, None  # the base may still do
    if fresh.tally.total >= query.choices or voting.tally.total == 0:
        return training, fresh, stop
    return training.unused("time or tokens ended before it was sampled"), voting, stop
