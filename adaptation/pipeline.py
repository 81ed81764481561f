"""A request's way through adaptation, from the question to the report."""

from __future__ import annotations

from adaptation.remember import remember
from adaptation.reporting import make_outcome
from adaptation.reuse import remembered
from adaptation.services import Services
from adaptation.session import Session
from adaptation.strategies import STRATEGIES
from adaptation.strategies.consistency import CONSISTENCY
from adaptation.strategies.strategy import Decision, obstacle
from adaptation.types import Outcome, Query


async def answer(query: Query, services: Services) -> Outcome:
    """Answer `query` by the strategy that it asks for, or a lighter one where that cannot be done.

    Raises `EngineError` where every sample failed, and `DeadlineError`. Whatever else fails falls
    back to a lighter strategy, and the report says so.
    """
    async with Session(query, services) as session:
        if (known := await remembered(query, services, session.clock)) is not None:
            return known
        decision = await _decide(session)
        verified = await session.conclude(decision.voting, decision.stop)
        baseline = await session.compared(decision.baseline, verified)
        with session.clock.measure("remember"):
            saved = await remember(query, verified, decision.adapted, services)
        return make_outcome(session, decision, verified, baseline, saved)


async def _decide(session: Session) -> Decision:
    strategy = STRATEGIES[session.options.strategy]
    if (why := obstacle(strategy, session.given)) is not None:
        return (await CONSISTENCY.answer(session)).because(why)
    return await strategy.answer(session)
