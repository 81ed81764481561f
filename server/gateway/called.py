"""vLLM's list of models for one request that asks for a fine-tuned model by its name.

vLLM knows the base alone: which adapter is behind the name is the client's business further in
(`server.adapters.champions`). So the name counts as the base's, and the answer bears it.
"""

from __future__ import annotations

from typing import Any


class ModelCalled:
    """Stands in for vLLM's models, by another name."""

    def __init__(self, models: Any, name: str) -> None:
        self._models, self._name = models, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)

    def is_base_model(self, model_name: str) -> bool:
        """Whether a name is the one that the request asks for."""
        return model_name == self._name

    def model_name(self, lora_request: Any = None) -> str:
        """Return what the answer says that it comes from."""
        return self._name
