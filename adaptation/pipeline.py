"""A request's way through adaptation, from the question to the report."""

from __future__ import annotations

from adaptation.adapting import Adapted, adapted
from adaptation.plan import make_plan, needs_more
from adaptation.pool import SamplePool
from adaptation.recalling import recall
from adaptation.remembering import remember
from adaptation.reporting import make_outcome
from adaptation.services import Services
from adaptation.stopping import RULES
from adaptation.stopwatch import Stopwatch
from adaptation.tally import Tally
from adaptation.types import Outcome, Query, StopReason
from adaptation.verifying import verify
from adaptation.voting import conclude, poll


async def answer(query: Query, services: Services) -> Outcome:
    """Answer `query` by voting, after training where that was asked for and is possible.

    Raises `EngineError` and `DeadlineError`. Whatever else fails falls back to a lighter
    strategy, and the report says so.
    """
    clock, options, policy = Stopwatch(), query.options, services.policy
    rule = RULES[policy.stopping_rule]()
    with clock.measure("retrieve"):
        recalled = await recall(query, services.memory, policy)
    plan = make_plan(options, query.choices, recalled.neighbours, policy)
    tally, training = Tally(query), Adapted()
    stop: StopReason | None = None
    async with SamplePool(services.engine, query, options.budget.tokens) as pool:
        if plan.vote_first:
            with clock.measure("sample"):
                stop = await poll(query, pool, tally, rule, options.max_samples // 2, query.base)
        if plan.train and needs_more(stop, tally.confidence, options):
            async with adapted(query, recalled.neighbours, services, clock) as training:
                if training.adapter is not None:
                    fresh, left = Tally(query), options.max_samples - pool.launched
                    with clock.measure("sample"):
                        stop = await poll(query, pool, fresh, rule, left, training.adapter)
                    if fresh.total >= query.choices or tally.total == 0:
                        tally = fresh
                    else:
                        training = training.unused("time or tokens ended before it was sampled")
        if training.adapter is None and needs_more(stop, tally.confidence, options):
            with clock.measure("sample"):
                stop = await poll(query, pool, tally, rule, options.max_samples, query.base)
        assert stop is not None  # one of the three polls took place
        vote = await conclude(tally, pool, stop, services.memory.embedder.embed)
    with clock.measure("verify"):
        verified = await verify(query, vote)
    saved = await remember(query, verified, training, services)
    return make_outcome(
        query, pool, verified, training, saved, clock, recalled.obstacle or plan.reason
    )
