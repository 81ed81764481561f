"""Whether a request may train on what was recalled for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.learning.neighbours import trainable
from adaptation.options import Options
from adaptation.policy import Policy
from memory.types import Neighbour


def obstacle_to_training(
    options: Options, neighbours: Sequence[Neighbour], policy: Policy
) -> str | None:
    """Return why nothing can be trained for a request, None where something can."""
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
