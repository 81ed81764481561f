"""One job's LoRA: every tensor of it in one flat vector, so that a step is a few operations.

Masters, gradients and AdamW's moments are float32; products take a copy in the base's own type.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch


@dataclass(frozen=True)
class Shape:
    """Linear layers that read the same input, as one: their outputs side by side."""

    names: tuple[str, ...]
    """Names of the modules, in the base."""
    d: int
    outs: tuple[int, ...]

    @property
    def borders(self) -> tuple[int, ...]:
        """Where each layer's output begins, and the end of the last."""
        return (0, *accumulate(self.outs))


class Adapter:
    """A and B for every layer: x + B·A·x. `A` (r, d) as in PEFT, `B` (r, o) turned."""

    def __init__(
        self, shapes: Sequence[Shape], rank: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.rank = rank
        self._shapes = shapes
        n = n_values(shapes, rank)
        self.master = torch.zeros(n, device=device)
        self.master.grad = torch.zeros(n, device=device)
        self.version = object()
        """A new object after every change of the values; no two adapters share one."""
        is_wide = dtype == torch.float32
        self._values = self.master if is_wide else torch.zeros(n, dtype=dtype, device=device)
        self._gradient = self.master.grad if is_wide else torch.zeros_like(self._values)
        self._value_views = [*views(self._values, shapes, rank)]
        self._gradient_views = [*views(self._gradient, shapes, rank)]

    @property
    def flat(self) -> torch.Tensor:
        """All values, in the base's own type."""
        return self._values

    def values(self, group: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the stacked A (layers · r, d) of a group and the B (r, o) of its layers."""
        return self._value_views[group]

    def gradients(self, group: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return what `values` returns, of the gradient."""
        return self._gradient_views[group]

    def parts(self) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
        """Return each layer's name, A (r, d) and B (r, o), of the masters."""
        for shape, (a, bs) in zip(
            self._shapes, views(self.master, self._shapes, self.rank), strict=True
        ):
            yield from zip(shape.names, torch.split(a, self.rank), bs, strict=True)

    def changed(self) -> None:
        """Take over what has been written into the masters."""
        if self._values is not self.master:
            self._values.copy_(self.master)
        self.version = object()

    def randomise(self, seed: int) -> None:
        """Set A as PEFT does, by `seed`; B = 0, so that the model is the base."""
        generator = torch.Generator().manual_seed(seed)
        for _, a, b in self.parts():
            bound = 1 / math.sqrt(a.shape[1])  # Kaiming's, with √5
            a.copy_(torch.empty(a.shape).uniform_(-bound, bound, generator=generator))
            b.zero_()
        self.changed()

    def collect(self) -> None:
        """Add what the last pass found to the gradient."""
        assert self.master.grad is not None
        if self._gradient is not self.master.grad:
            self.master.grad += self._gradient
            self._gradient.zero_()

    def add(self, gradient: torch.Tensor) -> None:
        """Add to the gradient what was found elsewhere, flat as the values are."""
        assert self.master.grad is not None
        self.master.grad += gradient

    def forget(self) -> None:
        """Set the gradient to 0."""
        assert self.master.grad is not None
        self.master.grad.zero_()
        self._gradient.zero_()

    def restore(self, kept: torch.Tensor) -> None:
        """Set the masters to a copy of them that was kept."""
        self.master.copy_(kept)
        self.changed()


def n_values(shapes: Sequence[Shape], rank: int) -> int:
    """Return how many numbers an adapter has."""
    return sum(_sizes(shapes, rank))


def views(
    flat: torch.Tensor, shapes: Sequence[Shape], rank: int
) -> Iterator[tuple[torch.Tensor, list[torch.Tensor]]]:
    """Yield the stacked A (…, layers · r, d) and the B (…, r, o) of each group in `flat` (…, n)."""
    outer = flat.shape[:-1]
    for shape, part in zip(shapes, torch.split(flat, _sizes(shapes, rank), -1), strict=True):
        n_a = rank * len(shape.names) * shape.d
        bs = torch.split(part[..., n_a:], [rank * out for out in shape.outs], -1)
        yield part[..., :n_a].view(*outer, -1, shape.d), [b.view(*outer, rank, -1) for b in bs]


def _sizes(shapes: Sequence[Shape], rank: int) -> list[int]:
    return [rank * (len(shape.names) * shape.d + sum(shape.outs)) for shape in shapes]
