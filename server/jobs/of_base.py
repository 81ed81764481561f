"""What a job is asked that trains a base, wherever whoever does it works."""

from __future__ import annotations

from adaptation.learning.training.chat import Template
from memory.types import Frozen
from server.models.named import base_model


class OfBase(Frozen):
    """Which base, and how its prompts are written."""

    model: str
    """The folder of the base, or its name on a hub."""
    base: str | None = None
    """What adapters of it call it; None: what `model` says."""
    template: Template = Template()

    @property
    def base_name(self) -> str:
        """What adapters of it call the base."""
        return self.base or base_model(self.model)
