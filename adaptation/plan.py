"""What to do for one request. Pure: options and neighbours in, a plan out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adaptation.policy import Policy
from adaptation.types import Neighbour, Options, StopReason, Strategy
from memory.types import TIERS_THAT_TRAIN

SETTLED = frozenset({StopReason.CONFIDENT, StopReason.CERTAIN, StopReason.SINGLE})


@dataclass(frozen=True)
class Plan:
    """The steps a request will take."""

    vote_first: bool
    """Vote before training, and train only where the votes disagree."""
    train: bool
    """Train on neighbours, unless a first vote settles the question."""
    reason: str | None = None
    """Why something asked for will not be done."""


def make_plan(options: Options, neighbours: Sequence[Neighbour], policy: Policy) -> Plan:
    """Return the heaviest plan that the options, the memory and the budget allow."""
    if options.strategy in (Strategy.PLAIN, Strategy.CONSISTENCY):
        return Plan(vote_first=False, train=False)
    if (obstacle := _obstacle(options, neighbours, policy)) is not None:
        return Plan(vote_first=False, train=False, reason=obstacle)
    return Plan(vote_first=options.strategy is Strategy.AUTO, train=True)


def _obstacle(options: Options, neighbours: Sequence[Neighbour], policy: Policy) -> str | None:
    if not policy.may_train:
        return "this server does not train per request"
    if options.budget.train_steps == 0:
        return "the budget allows no training steps"
    if not options.memory.read:
        return "the request does not read memory"
    usable = count_usable(neighbours, policy)
    if usable < policy.min_neighbours:
        return f"{usable} usable neighbours in memory, at least {policy.min_neighbours} are needed"
    return None


def count_usable(neighbours: Sequence[Neighbour], policy: Policy) -> int:
    """Count the neighbours close and trustworthy enough to train on."""
    return sum(
        neighbour.similarity >= policy.min_similarity and neighbour.record.tier in TIERS_THAT_TRAIN
        for neighbour in neighbours
    )


def is_settled(stop: StopReason | None) -> bool:
    """Whether a vote that ended for this reason found its winner."""
    return stop in SETTLED


def needs_more(stop: StopReason | None) -> bool:
    """Whether more samples could help: there was no vote yet, or it ended undecided in time."""
    return stop in (None, StopReason.EXHAUSTED)
