"""A vote in doubt: whether it is, what could follow it, and which of two votes stands."""

from __future__ import annotations

from dataclasses import replace

from adaptation.learning.obstacles import obstacle_to_training
from adaptation.options import Options, Strategy
from adaptation.report import StopReason
from adaptation.session import ENDS, Session
from adaptation.strategies.demonstrations import DEMONSTRATIONS
from adaptation.strategies.strategy import Decision, obstacle
from adaptation.tries import Came


async def pooled(session: Session, first: Decision, found: Decision) -> Decision:
    """Count the votes before a vote in with it.

    An adapter has been examined on all that is held out, demonstrations on a handful of neighbours
    at most: alone, and unexamined, they turned more right answers wrong than wrong ones right where
    the model knows its way (countdown on whet-pebble, 6 to 2 of 30).
    """
    for sample in first.voting.tally.samples:
        await found.voting.count(sample)
    is_sure = found.voting.confidence >= session.options.confidence
    stop = found.stop if is_sure or found.stop in ENDS else StopReason.EXHAUSTED
    return replace(found, stop=stop)


def is_enough(session: Session, found: Decision) -> bool:
    """Whether a vote has an answer for each that the response is to carry."""
    return found.voting.tally.total >= session.query.choices


async def standing(session: Session, first: Decision, found: Decision) -> Decision:
    """Return which of two votes stands: the later, but for what the request's verifiers say.

    Where the earlier one stands, what is said of the later is noted: no answer tells of it.
    """
    found = replace(found, baseline=first.voting)
    if not session.query.verifiers:
        return found
    before, after = await session.passes(first.voting), await session.passes(found.voting)
    if after or not before:
        return found
    if after is False:  # one that was late has not spoken against it
        session.tries.came(found.strategy, Came.TO_A_REJECTED_ANSWER)
    adapted = found.adapted.unused("a verifier passes the answer without it, and not with it")
    return replace(first, adapted=adapted, reason=adapted.reason)


def open_ways(session: Session) -> tuple[list[Strategy], str | None]:
    """Return what could follow a vote in doubt, and why training could not."""
    options, query = session.options, session.query
    if options.max_samples // 2 < max(2, query.choices):
        return [], "too few samples for two votes"
    why = obstacle_to_training(options, session.recalled.neighbours, session.policy)
    ways = [] if why else [Strategy.TTT]
    if obstacle(DEMONSTRATIONS, session.given) is None and DEMONSTRATIONS.chosen(session):
        ways.append(Strategy.DEMONSTRATIONS)
    return ways, why


def in_doubt(stop: StopReason, confidence: float, options: Options) -> bool:
    """Whether a vote ended in time and without a clear winner.

    A narrow lead may be certain to win the samples that were allowed, and be a guess all the same.
    """
    in_time = stop in (StopReason.EXHAUSTED, StopReason.CERTAIN, StopReason.FUTILE)
    return in_time and confidence < options.confidence
