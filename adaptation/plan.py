"""What to do for one request. Pure: options and neighbours in, a plan out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adaptation.learning.neighbours import trainable
from adaptation.options import Options, Strategy
from adaptation.policy import Policy
from adaptation.report import StopReason
from memory.types import Neighbour


@dataclass(frozen=True)
class Plan:
    """The steps a request will take."""

    vote_first: bool
    """Vote before training, and train only where the votes disagree."""
    train: bool
    """Train on neighbours, unless a first vote settles the question."""
    reason: str | None = None
    """Why something asked for will not be done."""


def make_plan(
    options: Options, choices: int, neighbours: Sequence[Neighbour], policy: Policy
) -> Plan:
    """Return the heaviest plan that the options, the memory and the budget allow."""
    if options.strategy in (Strategy.PLAIN, Strategy.CONSISTENCY):
        return Plan(vote_first=False, train=False)
    if (obstacle := _obstacle(options, neighbours, policy)) is not None:
        return Plan(vote_first=False, train=False, reason=obstacle)
    if options.strategy is Strategy.TTT:
        return Plan(vote_first=False, train=True)
    if options.max_samples // 2 < max(2, choices):
        return Plan(vote_first=False, train=False, reason="too few samples for two votes")
    return Plan(vote_first=True, train=True)


def _obstacle(options: Options, neighbours: Sequence[Neighbour], policy: Policy) -> str | None:
    if not policy.may_train:
        return "this server does not train per request"
    if options.budget.train_steps == 0:
        return "the budget allows no training steps"
    if not options.memory.read:
        return "the request does not read memory"
    usable = len(trainable(neighbours, policy.min_similarity))
    if usable < policy.min_neighbours:
        return f"{usable} usable neighbours in memory, at least {policy.min_neighbours} are needed"
    return None


def needs_more(stop: StopReason | None, confidence: float, options: Options) -> bool:
    """Whether training or further votes could help.

    That is so before the first vote, and after one that ended in time and in doubt: a narrow lead
    may be certain to win the samples that were allowed, and be a guess all the same.
    """
    if stop is None:
        return True
    in_time = stop in (StopReason.EXHAUSTED, StopReason.CERTAIN, StopReason.FUTILE)
    return in_time and confidence < options.confidence
