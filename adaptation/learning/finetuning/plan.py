"""How long, in what batches and how fast: what was asked, or what fits model and data."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import Field

from adaptation.learning.training.recipes import distillation_recipe
from adaptation.learning.training.trainer import Recipe
from memory.types import Frozen, Given

Auto: TypeAlias = Literal["auto"]
T = TypeVar("T", int, float)
BATCH = 8
"""As in distillation; of few examples a quarter."""
LEAST_EPOCHS, MOST_EPOCHS = 1, 50
"""Bounds of the epochs that are chosen here, as at OpenAI."""


class Hyperparameters(Given):
    """What OpenAI lets a client choose."""

    n_epochs: Auto | Annotated[int, Field(strict=True, ge=1, le=50)] = "auto"
    batch_size: Auto | Annotated[int, Field(strict=True, ge=1, le=256)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(strict=True, ge=1e-6, le=100)] = "auto"


class Plan(Frozen):
    """What is done."""

    n_epochs: int
    batch_size: int
    learning_rate_multiplier: float
    examples: int
    seed: int
    recipe: Recipe
    """Recipe of the first epoch."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in which every example is seen once."""
        return math.ceil(self.examples / self.batch_size)

    @property
    def steps(self) -> int:
        """Return the steps of all epochs."""
        return self.n_epochs * self.steps_per_epoch

    def of_epoch(self, epoch: int) -> Recipe:
        """Return the recipe of one epoch, from 0: the rate falls from each to the next.

        Every epoch has its own order of the examples, and begins with a fresh optimiser: so one
        that was interrupted is trained anew to the same weights.
        """
        rate = self.recipe.learning_rate * (1 - epoch / self.n_epochs)
        return self.recipe.model_copy(
            update={"learning_rate": rate, "seed": self.seed + epoch, "schedule": "constant"}
        )


def chosen(asked: Auto | T, otherwise: T) -> T:
    """Return what was asked, or what fits where it was left open."""
    return otherwise if isinstance(asked, str) else asked


def planned(
    asked: Hyperparameters, parameters: int | None, examples: int, seed: int, max_tokens: int
) -> Plan:
    """Fill in what was left open, for a base of `parameters`.

    As in distillation, a small model takes many small steps: so few examples are seen often.
    """
    usual = distillation_recipe(parameters, examples)
    batch = chosen(asked.batch_size, max(1, min(BATCH, examples // 4)))
    wanted = round(usual.steps / math.ceil(examples / batch))
    epochs = chosen(asked.n_epochs, max(LEAST_EPOCHS, min(MOST_EPOCHS, wanted)))
    multiplier = chosen(asked.learning_rate_multiplier, 1.0)
    update = {
        "learning_rate": min(1.0, usual.learning_rate * multiplier),
        "batch_size": batch,
        "steps": math.ceil(examples / batch),
        "max_tokens": max_tokens,
        "seed": seed,
    }
    return Plan(
        n_epochs=epochs,
        batch_size=batch,
        learning_rate_multiplier=multiplier,
        examples=examples,
        seed=seed,
        recipe=usual.model_copy(update=update),
    )
