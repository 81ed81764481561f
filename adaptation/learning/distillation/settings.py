"""How a generation is run."""

from __future__ import annotations

from pydantic import Field

from adaptation.learning.candidates.policies import Policy
from adaptation.learning.candidates.solutions import Bare
from adaptation.learning.distillation.select import Selection
from adaptation.learning.training.refusals import Refusal
from adaptation.learning.training.trainer import Recipe
from memory.types import Frozen
from memory.versions.release import Stage


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
    first: Stage = Stage.ALL
    """Where the release of a version begins that passed the gate; `all`: it is promoted."""
    parent: str | None = None
    """The version that is trained on from; None: the base."""
    archive: bool = False
    """Draw the parent from all that were judged: see `archive`."""
    refusals: tuple[Refusal, ...] = ()
    """What a candidate may not make the model comply with."""
    max_new_tokens: int = Field(default=512, ge=1)
    timeout_s: float = Field(default=6 * 3600.0, gt=0)
    """For each phase."""
    scores: bool = True
    """Score what may be learned, and let a policy choose of it: see `candidates`."""
    policy: Policy | None = None
    """The policy that chooses; None: one that is drawn by what earlier ones came to."""
    bare: Bare = "solve"
    """What becomes of corrections that are a bare answer: see `candidates.solutions`."""
    doubts: bool = True
    """Hold back for review what is probably wrong: see `doubt`."""
    samples: bool = True
    """Sample some guards and held-out questions of a candidate that is better: see `sampling`."""
    dry_run: bool = False
    """Select and report; train nothing."""

    @property
    def seed(self) -> int:
        """What a run is repeated by."""
        return self.recipe.seed if self.recipe else 0
