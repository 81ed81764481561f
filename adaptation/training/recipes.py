"""Defaults by model size, for whoever has measured nothing better."""

from __future__ import annotations

import math

from adaptation.training.trainer import Recipe

SMALL, MEDIUM = 50_000_000, 3_000_000_000


def recipe_for(parameters: int | None, steps: int = 8) -> Recipe:
    """The recipe of a per-request job for a base of `parameters` (None: unknown).

    Learning rates: Akyürek et al. 2024 (arXiv 2411.07279) 1e-4 at 8B; small models take more.
    """
    if parameters is None or parameters > MEDIUM:
        return Recipe(rank=16, learning_rate=1e-4, steps=steps)
    if parameters > SMALL:
        return Recipe(rank=16, learning_rate=3e-4, steps=steps)
    return Recipe(rank=8, learning_rate=3e-3, steps=steps)


def distillation_recipe(parameters: int | None, records: int) -> Recipe:
    """The recipe of an offline generation on `records` records.

    Two epochs in batches of 8, yet at least 48 steps: a few dozen records need several passes.
    The rate is half that of a single request's job, since the steps are many and the batches small.
    """
    once = recipe_for(parameters)
    return once.model_copy(
        update={
            "rank": 16,
            "learning_rate": once.learning_rate / 2,
            "batch_size": 8,
            "steps": max(48, 2 * math.ceil(records / 8)),
            "min_loss": 0.0,
        }
    )
