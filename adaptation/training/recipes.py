"""Defaults by model size, for whoever has measured nothing better."""

from __future__ import annotations

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
