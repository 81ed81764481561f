"""Frozen linear layers under adapters of one rank, stacked: few products, whoever is there.

y = x·W + (x·A)·B, where the second term is one batched product over all slots. Values and gradients
keep their addresses; adapters are copied in before a pass, their gradients out after it. A batched
product may add in another order when there are more slots: unlike in `group`, the last bits of what
an adapter finds depend on who is beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from adaptation.learning.service.adapter import Adapter, Shape, n_values, views
from adaptation.learning.service.group import Group

ALIGNED = 64
"""Each slot begins at a multiple of so many numbers: products are slower elsewhere."""


class Slots:
    """Room for S adapters of one rank."""

    def __init__(
        self,
        n: int,
        shapes: Sequence[Shape],
        rank: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.n = n
        size = n_values(shapes, rank)
        whole = torch.zeros((2, n, -(-size // ALIGNED) * ALIGNED), dtype=dtype, device=device)
        self._values, self._gradients = whole[..., :size]
        self.n_bytes = whole.nbytes
        self.values = [*views(self._values, shapes, rank)]
        """For each group A (S, layers · r, d) and the B (S, r, o) of its layers."""
        self.gradients = [*views(self._gradients, shapes, rank)]
        """Gradients of the same shapes; a pass sets them."""

    def fill(self, adapters: Sequence[Adapter]) -> None:
        """Take in the values of at most S adapters; further slots are zeros."""
        for slot, adapter in enumerate(adapters):
            self._values[slot].copy_(adapter.flat)
        self._values[len(adapters) :].zero_()

    def collect(self, adapters: Sequence[Adapter]) -> None:
        """Add what the last pass found to the adapters' gradients."""
        for slot, adapter in enumerate(adapters):
            adapter.add(self._gradients[slot])


class Stacked(torch.autograd.Function):
    """(S · R, d) → (S · R, outs). Sets the slots' gradients."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, anchor: torch.Tensor, group: Group, slots: Slots
    ) -> torch.Tensor:
        a, bs = slots.values[group.index]
        xa = torch.bmm(_by_slot(x, slots), a.mT)  # (S, R, layers · r)
        y = _bare(x, group)
        of_layers = _split(y, xa, group, slots)
        for (mine, own), b in zip(of_layers, bs, strict=True):
            mine.baddbmm_(own, b)
        ctx.save_for_backward(x, xa)
        ctx.rest = group, slots
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        (x, xa), (group, slots) = ctx.saved_tensors, ctx.rest
        a, bs = slots.values[group.index]
        to_a, to_bs = slots.gradients[group.index]
        of_xa = torch.empty_like(xa)
        dy = dy.contiguous()
        for (mine, own), to_b in zip(_split(dy, xa, group, slots), to_bs, strict=True):
            torch.bmm(own.mT, mine, out=to_b)
        for (mine, own), b in zip(_split(dy, of_xa, group, slots), bs, strict=True):
            torch.bmm(mine, b.mT, out=own)
        torch.bmm(of_xa.mT, _by_slot(x, slots), out=to_a)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        dx = dy @ group.bare.t()
        _by_slot(dx, slots).baddbmm_(of_xa, a)
        return dx, None, None, None


def _bare(x: torch.Tensor, group: Group) -> torch.Tensor:
    if group.bias is None:
        return x @ group.bare
    return torch.addmm(group.bias, x, group.bare)


def _by_slot(rows: torch.Tensor, slots: Slots) -> torch.Tensor:
    """(S · R, w) → (S, R, w)"""
    return rows.view(slots.n, -1, rows.shape[1])


def _split(
    y: torch.Tensor, xa: torch.Tensor, group: Group, slots: Slots
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return of each layer in turn its part of `y` (S, R, o) and of `xa` (S, R, r)."""
    outs = torch.split(_by_slot(y, slots), list(group.shape.outs), 2)
    return list(zip(outs, torch.chunk(xa, len(outs), 2), strict=True))
