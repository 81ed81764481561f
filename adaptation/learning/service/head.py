"""The losses of a pass, and the gradient of what the head reads."""

from __future__ import annotations

from types import ModuleType

import torch

from adaptation.learning.service.packing import Packed

HEAD_ROWS = 512
"""Targets whose logits are held at once."""


def losses_of(
    packed: Packed, hidden: torch.Tensor, weight: torch.Tensor, kernels: ModuleType, *, learns: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the losses (M,) and, where it `learns`, the gradient of `hidden` (N, d).

    `weight` is the head's (V, d).
    """
    losses, gradient = hidden.new_empty(len(packed.targets), dtype=torch.float32), hidden
    if learns:
        gradient = torch.zeros_like(hidden)
    for share in packed.shares:
        for first in range(share.first_target, share.last_target, HEAD_ROWS):
            some = slice(first, min(first + HEAD_ROWS, share.last_target))
            rows = packed.predicting[some]
            logits = hidden[rows] @ weight.t()
            losses[some] = kernels.cross_entropy_(
                logits, packed.targets[some], share.weight if learns else None
            )
            if learns:
                gradient[rows] = logits @ weight
    return losses, gradient
