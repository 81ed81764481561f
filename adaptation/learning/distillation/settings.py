"""How a generation is run."""

from __future__ import annotations

from pydantic import Field

from adaptation.learning.distillation.select import Selection
from adaptation.learning.training.refusals import Refusal
from adaptation.learning.training.trainer import Recipe
from memory.types import Frozen


class Settings(Frozen):
    """How a generation is run."""

    selection: Selection = Selection()
    recipe: Recipe | None = None
    """None: `distillation_recipe` by the size of the base and of the data."""
    rehearse: bool = True
    """Train on the base's own replies to general prompts as well, against forgetting."""
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Chance of a false promotion in the whole run: see `budget`."""
    anyway: bool = False
    """Go on where the last generations brought nothing."""
    refusals: tuple[Refusal, ...] = ()
    """What a candidate may not make the model comply with."""
    max_new_tokens: int = Field(default=512, ge=1)
    timeout_s: float = Field(default=6 * 3600.0, gt=0)
    """For each phase."""
    doubts: bool = True
    """Hold back for review what is probably wrong: see `doubt`."""
    samples: bool = True
    """Sample some guards and held-out questions of a candidate that is better: see `sampling`."""
    dry_run: bool = False
    """Select and report; train nothing."""
