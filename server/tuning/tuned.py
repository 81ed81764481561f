"""The recipes of per-request training that `whet tune` found; read at every start of a server."""

from __future__ import annotations

from pydantic import Field

from adaptation.learning.training.trainer import Recipe
from memory.types import Frozen
from server.tuning.by_model import ByModel

FILE = "tuned.json"


class Tuned(Frozen):
    """What a model's tuning came to."""

    recipe: Recipe
    right: float = Field(ge=0, le=1)
    """Share of the questions that were answered rightly with it."""
    untrained: float = Field(ge=0, le=1)
    """Share that is right without training."""
    questions: int
    worlds: tuple[str, ...]
    found_at: str
    """ISO 8601."""


TUNED = ByModel(FILE, Tuned, "whet tune")
