"""Whether a training that begins now would end in time to be of use."""

from __future__ import annotations

import time

from adaptation.errors import NoTurnError
from adaptation.learning.training.trainer import Recipe
from adaptation.services import Services
from adaptation.types import Query

TRAINING_SHARE = 0.5
"""Of the time left: what training may take with its waits. The samples need the rest, and on a
server that is so busy that trainings wait, they take longer too."""
LEAST_STEPS = 1 / 3
"""Share of a recipe's steps that must fit into the time: a training that is cut shorter teaches
next to nothing (8 of 64 steps: SmolLM2 answered none of 96 questions)."""


def seconds_left(query: Query) -> float:
    """Return what training may take of a request's time."""
    return max(0.0, TRAINING_SHARE * (query.deadline - time.monotonic()))


def check_allowance(query: Query, services: Services) -> None:
    """Raise `NoTurnError` where the tenant has used what it may train in a day."""
    left = services.allowance.training_steps(query.tenant)
    if left is not None and left <= 0:
        raise NoTurnError("the tenant's training steps of today are spent (training_steps_per_day)")


def check_time(query: Query, recipe: Recipe, services: Services) -> None:
    """Raise `NoTurnError` where a training is known not to begin, or not to get far, in time.

    What is waited in vain is lost for the vote. With nobody ahead training is tried in any case,
    so that the estimate, which trainings make, never rules out the trainings that would correct it.
    """
    trainings, policy = services.trainings, services.policy
    left_s, whole_s = seconds_left(query), _whole_s(recipe, services)
    if whole_s * LEAST_STEPS > left_s:
        raise NoTurnError(
            f"a training takes about {whole_s:.0f} s here, and {left_s:.0f} s are left for it: "
            "allow more wall_s, or fewer train_steps"
        )
    patience_s = max(0.0, min(policy.train_wait_s, left_s - trainings.typical_s))
    # A name is needed when the training is over.
    expected_s = trainings.expected_wait_s
    expected_s += max(0.0, services.leases.expected_wait_s - trainings.typical_s)
    if expected_s > patience_s:
        raise NoTurnError(
            f"too many trainings are before it: about {expected_s:.1f} s to wait, "
            f"and {patience_s:.1f} s to spare"
        )


def _whole_s(recipe: Recipe, services: Services) -> float:
    """Return what all steps of a training take; 0 where that is not known.

    The steps of trainings that ran beside each other took long. With nobody ahead the time that a
    step took at the start holds as well, or the estimate would keep itself.
    """
    at_start_s = services.policy.expected_train_s * recipe.steps / services.policy.recipe.steps
    lately_s = services.trainings.step_s * recipe.steps
    if not (lately_s and at_start_s):
        return lately_s or at_start_s
    return min(lately_s, at_start_s) if services.trainings.is_idle else lately_s
