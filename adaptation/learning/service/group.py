"""Frozen linear layers under many adapters: base and LoRA in one product.

y = x·W + (x·A)·B is [x, x·A]·[W; B]: the adapters' rows are written below the base's for each in
turn, so that no second product reads and writes the large output. What an adapter computes is
computed for its rows alone, by products of its own sizes: it depends on nobody else in the pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from adaptation.learning.service.adapter import Adapter, Shape
from adaptation.learning.service.packing import Share


class Group:
    """Linear layers with one input. Their weights become views of one tensor."""

    def __init__(self, index: int, names: Sequence[str], layers: Sequence[nn.Linear]) -> None:
        outs = tuple(layer.out_features for layer in layers)
        self.index, self.shape = index, Shape(tuple(names), layers[0].in_features, outs)
        self._layers = layers
        self._weight = torch.empty(0)
        self._below: object = None
        biases = [layer.bias for layer in layers]
        self.bias = None
        if any(bias is not None for bias in biases):
            zeros = [layers[0].weight.new_zeros(out) for out in outs]
            given = [z if b is None else b.detach() for z, b in zip(zeros, biases, strict=True)]
            self.bias = torch.cat(given)
        self.make_room(0)

    @property
    def bare(self) -> torch.Tensor:
        """W (d, outs), without what is below it."""
        return self._weight[: self.shape.d]

    def make_room(self, rank: int) -> bool:
        """Have room below the base for adapters of `rank`; return whether the base moved for it."""
        d, needed = self.shape.d, self.shape.d + rank * len(self.shape.outs)
        if needed <= len(self._weight):
            return False
        first = self._layers[0].weight
        whole = first.new_empty((needed, sum(self.shape.outs)))
        for layer, out in zip(
            self._layers, torch.split(whole[:d], list(self.shape.outs), 1), strict=True
        ):
            out.copy_(layer.weight.detach().t())
            layer.weight.data = out.t()
        self._weight, self._below = whole, None
        return True

    def above(self, adapter: Adapter) -> torch.Tensor:
        """Return [W; B] (d + layers · r, outs) of one adapter, until another is asked for."""
        d, rank, borders = self.shape.d, adapter.rank, self.shape.borders
        whole = self._weight[: d + rank * len(self.shape.outs)]
        if self._below is not adapter.version:
            self._weight[d:] = (
                0  # nothing of another adapter, even out of reach: it may be no number
            )
            for i, b in enumerate(adapter.values(self.index)[1]):
                rows = slice(d + i * rank, d + (i + 1) * rank)
                whole[rows, borders[i] : borders[i + 1]] = b
            self._below = adapter.version
        return whole

    def product(self, rows: torch.Tensor, adapter: Adapter | None) -> torch.Tensor:
        """(N, d) → (N, outs) under one adapter or none, without gradients."""
        weight = self.bare
        if adapter is not None:
            a, _ = adapter.values(self.index)
            rows, weight = torch.cat((rows, rows @ a.t()), 1), self.above(adapter)
        y = rows.new_empty((len(rows), weight.shape[1]))
        _product(rows, weight, self.bias, y)
        return y


class Grouped(torch.autograd.Function):
    """(N, d) → (N, outs). Writes the adapters' gradients where they belong."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, anchor: torch.Tensor, group: Group, shares: Sequence[Share]
    ) -> torch.Tensor:
        d, outs = group.shape.d, group.shape.outs
        room = len(outs) * max(share.adapter.rank for share in shares)
        wide = x.new_empty((len(x), d + room))
        y = x.new_empty((len(x), sum(outs)))
        wide[:, :d] = x
        wide[:, d:] = 0  # products in bf16 look at numbers beside theirs: none may be no number
        for share in shares:
            rows, mine = _rows(wide, share, group)
            a, _ = share.adapter.values(group.index)
            torch.mm(rows[:, :d], a.t(), out=rows[:, d:])
            _product(rows, group.above(share.adapter), group.bias, y[mine])
        ctx.save_for_backward(wide)
        ctx.rest = group, shares
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        (wide,), (group, shares) = ctx.saved_tensors, ctx.rest
        d, wanted = group.shape.d, ctx.needs_input_grad[0]
        dx = wide.new_empty((len(wide), d)) if wanted else None
        for share in shares:
            rows, mine = _rows(wide, share, group)
            above = group.above(share.adapter)
            a, _ = share.adapter.values(group.index)
            if dx is None:
                of_xa = dy[mine] @ above[d:].t()
            else:
                both = dy[mine] @ above.t()  # (n, d + layers · r)
                of_xa = both[:, d:].contiguous()
                torch.addmm(both[:, :d], of_xa, a, out=dx[mine])
            _learn(group, share.adapter, rows, of_xa, dy[mine])
        return dx, None, None, None


def _learn(
    group: Group, adapter: Adapter, rows: torch.Tensor, of_xa: torch.Tensor, dy: torch.Tensor
) -> None:
    """Add to the gradients of A and B."""
    d, rank, borders = group.shape.d, adapter.rank, group.shape.borders
    to_a, to_b = adapter.gradients(group.index)
    to_a.addmm_(of_xa.t(), rows[:, :d])
    for i, to in enumerate(to_b):
        xa = rows[:, d + i * rank : d + (i + 1) * rank]
        to.addmm_(xa.t(), dy[:, borders[i] : borders[i + 1]])


def _rows(wide: torch.Tensor, share: Share, group: Group) -> tuple[torch.Tensor, slice]:
    mine = slice(share.start, share.end)
    return wide[mine, : group.shape.d + len(group.shape.outs) * share.adapter.rank], mine


def _product(
    rows: torch.Tensor, above: torch.Tensor, bias: torch.Tensor | None, y: torch.Tensor
) -> None:
    if bias is None:
        torch.mm(rows, above, out=y)
    else:
        torch.addmm(bias, rows, above, out=y)
