"""Attention over segments for models whose blocks are not known, by Transformers' registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface

from adaptation.learning.service.blocks import EVERYTHING, Stage
from adaptation.learning.service.places import Heads

REFUSED = ("softcap", "s_aux", "position_bias")
"""What some models ask of attention beside scores, softmax and values."""


class Segments:
    """Our attention under a name of its own; a model asks for it by that name while a pass runs."""

    def __init__(self, stage: Stage) -> None:
        self._name = f"whet_segments_{id(stage)}"
        AttentionInterface.register(self._name, _attend_on(stage))

    @contextmanager
    def used_by(self, model: Any) -> Iterator[None]:
        """Have `model` use it for the length of the block, and make no mask of N × N."""
        usual = model.config._attn_implementation
        model.config._attn_implementation = self._name
        try:
            yield
        finally:
            model.config._attn_implementation = usual


def _attend_on(stage: Stage) -> Callable[..., Any]:
    def attend(
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: Any = None,
        *,
        scaling: float | None = None,
        sliding_window: int | None = None,
        **rest: Any,
    ) -> tuple[torch.Tensor, None]:
        """Queries (1, n_q, N, D), keys and values (1, n_kv, N, D) → (1, N, n_q, D)."""
        if any(rest.get(name) is not None for name in REFUSED) or value.shape != key.shape:
            raise ValueError("this model's attention is of another kind")
        n_q, n_tokens, width = query.shape[1:]
        heads = Heads(
            n_q=n_q,
            n_kv=key.shape[1],
            width=width,
            scale=width**-0.5 if scaling is None else scaling,
            window=sliding_window or EVERYTHING,
        )
        rows = torch.cat((query, key, value), 1)[0].transpose(0, 1).reshape(n_tokens, -1)
        return stage.attend(rows, heads).view(1, n_tokens, n_q, width), None

    return attend
