"""Defaults by model size, for whoever has measured nothing better."""

from __future__ import annotations

import math

from adaptation.training.trainer import Recipe

SMALL, MEDIUM = 50_000_000, 3_000_000_000


def recipe_for(parameters: int | None, steps: int | None = None) -> Recipe:
    """The recipe of a per-request job for a base of `parameters` (None: unknown).

    Large: 1e-4 and few steps, as Akyürek et al. 2024 (arXiv 2411.07279) at 8B, whose loss is
    memorised after five. Small: measured on whet-pebble (3.5 M parameters, 16 neighbours, 3 held
    out, 6 unseen worlds of each suite, development questions; 0 to 12 % right without training):

        steps, least loss    jargon  house rules  house format  facts   questions each
        12, 2e-3               96 %         88 %          71 %   54 %   24
        20, 2e-4              100 %        100 %          94 %   89 %   18

    A loss is a mean over all tokens, most of which such a model knows: at 2e-3 the few that matter
    may not be learned yet.
    """
    if parameters is None or parameters > MEDIUM:
        return Recipe(rank=16, learning_rate=1e-4, steps=steps or 8, min_loss=0.05)
    if parameters > SMALL:
        return Recipe(rank=16, learning_rate=3e-4, steps=steps or 8, min_loss=0.05)
    return Recipe(rank=8, learning_rate=6e-3, steps=steps or 20, min_loss=0.0002)


def distillation_recipe(parameters: int | None, records: int) -> Recipe:
    """The recipe of an offline generation on `records` records.

    Two epochs in batches of 8, yet at least 48 steps: a few dozen records need several passes.
    The rate is half that of a single request's job, since the steps are many and the batches small.
    On 48 records of a jargon world whet-pebble answers all 24 fresh questions after 48 steps, as
    after 96, and 48 of 60 everyday ones, which were 47 before (after 96: 44 and 48, two worlds).
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
