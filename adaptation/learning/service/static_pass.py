"""A pass that any jobs of a shape can be filled into, and run again without a word of Python.

`run` reads and writes the same tensors every time, waits for nothing, and its way depends on the
shape alone: that is what can be captured once and replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from adaptation.learning.service.grid import Grid, Layout, PassShape, laid_out
from adaptation.learning.service.head import HEAD_ROWS
from adaptation.learning.service.packing import Part, n_targets
from adaptation.learning.service.places import Places, one_after_the_other
from adaptation.learning.service.slots import Slots

if TYPE_CHECKING:
    from adaptation.learning.service.base import Base


class StaticPass:
    """One pass over S · R rows with S · T targets; on stage it stands where `Packed` does."""

    def __init__(self, base: Base, shape: PassShape, slots: Slots) -> None:
        self.shape, self.slots = shape, slots
        self._base = base
        self._layout = Layout.empty(shape, base.device)
        self.token_ids = self._layout.token_ids[None]  # (1, S · R)
        self.positions = self._layout.positions[None]  # (1, S · R)
        whole = one_after_the_other([shape.length] * (shape.slots * shape.segments))
        self.places = Places(whole, base.device)
        self.grid = Grid(shape, self._layout)
        self._losses = torch.zeros(shape.slots * shape.targets, device=base.device)

    def fill(self, parts: Sequence[Part]) -> None:
        """Take in parts that fit the shape."""
        self._layout.take(laid_out(self.shape, parts))
        self.slots.fill([part.adapter for part in parts])

    def run(self) -> None:
        """Find losses and gradients of what was filled in."""
        with self._base.on_stage(self):
            hidden = self._base.hidden(self)
            torch.autograd.backward(hidden, self._head(hidden.detach()))

    def blank(self) -> None:
        """Forget the losses of the last run."""
        self._losses.fill_(torch.nan)

    def taken(self, parts: Sequence[Part]) -> list[tuple[torch.Tensor, ...]]:
        """Return the losses of every part's examples; add to their adapters' gradients."""
        self.slots.collect([part.adapter for part in parts])
        return self.losses(parts)

    def losses(self, parts: Sequence[Part]) -> list[tuple[torch.Tensor, ...]]:
        """Return the losses of every part's examples, as the last run found them."""
        losses = self._losses.clone().view(self.shape.slots, -1)
        return [_by_example(mine, part) for mine, part in zip(losses, parts, strict=False)]

    def _head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Set the losses; return the gradient of `hidden` (S · R, d)."""
        layout, weight = self._layout, self._base.head_weight  # (V, d)
        found = hidden.new_empty((len(layout.targets), hidden.shape[1]))
        for first in range(0, len(found), HEAD_ROWS):
            some = slice(first, first + HEAD_ROWS)
            logits = hidden[layout.predicting[some]] @ weight.t()
            self._losses[some] = self._base.stage.kernels.cross_entropy_(
                logits, layout.targets[some], layout.weights[some]
            )
            torch.mm(logits, weight, out=found[some])
        return found[layout.target_of].masked_fill_(layout.is_silent, 0)


def _by_example(losses: torch.Tensor, part: Part) -> tuple[torch.Tensor, ...]:
    sizes = [n_targets([example]) for example in part.examples]
    return torch.split(losses[: sum(sizes)], sizes)
