"""The layout of a pass whose sizes depend on a few numbers alone, whatever jobs are in it.

Every slot has as many rows, segments and targets as every other. What a job has less is padding: it
reads rows of its own slot, carries no loss, and its gradient is 0. So the same kernels, of the same
sizes, at the same addresses, serve any jobs that fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from adaptation.learning.service.packing import Part, n_rows, n_targets
from adaptation.learning.service.places import MULTIPLE
from adaptation.learning.service.sharing import COPY_COST, shared_prefix
from adaptation.learning.training.sequences import TrainingExample

LEAST_ROWS = 64
LEAST_TARGETS = 16


@dataclass(frozen=True)
class PassShape:
    """The numbers that the sizes of a pass depend on."""

    slots: int
    """S, each with one adapter"""
    rows: int
    """R, of a slot"""
    segments: int
    """G, of a slot: examples"""
    length: int
    """L, of a segment"""
    targets: int
    """T, of a slot"""
    rank: int

    @property
    def cost(self) -> int:
        """What it takes of a pass, in tokens."""
        copied = max(0, self.segments * self.length - self.rows)
        return self.slots * (self.rows + int(COPY_COST * copied))

    def covers(self, other: PassShape) -> bool:
        """Whether what has the shape `other` fits this one, too."""
        return self.rank == other.rank and all(
            getattr(self, each.name) >= getattr(other, each.name) for each in fields(self)
        )


def shape_of(parts: Sequence[Part]) -> PassShape:
    """Return a shape, one of few, that `parts` of one rank fit."""
    each = [part.examples for part in parts]
    longest = max((len(example.token_ids) for some in each for example in some), default=0)
    return PassShape(
        slots=rounded(len(parts), 1),
        rows=rounded(max(map(n_rows, each)), LEAST_ROWS),
        segments=rounded(max(map(len, each)), 1),
        length=rounded(longest, 2 * MULTIPLE),
        targets=rounded(max(map(n_targets, each)), LEAST_TARGETS),
        rank=parts[0].adapter.rank,
    )


def rounded(n: int, least: int) -> int:
    """Return the smallest number of at least `n` among `least` · 1, 1.5, 2, 3, 4, 6, 8, …"""
    power = least
    while power < n:
        power *= 2
    between = power * 3 // 4
    return between if max(n, least) <= between and between * 4 == power * 3 else power


@dataclass(frozen=True)
class Layout:
    """Which token is where. Rows are numbered through all slots, and so are places and targets."""

    token_ids: torch.Tensor
    """(S · R,)"""
    positions: torch.Tensor
    """(S · R,)"""
    is_padding: torch.Tensor
    """(S · R, 1) bool"""
    is_shared: torch.Tensor
    """(S, min(R, L), 1) bool: of a slot's first rows, whether all its segments begin with them"""
    places: torch.Tensor
    """(S · R,): where attention has each row; of what is shared, in the slot's first segment"""
    rows: torch.Tensor
    """(S · G · L,): the row in each place"""
    is_again: torch.Tensor
    """(S · G · L, 1) bool: whether the row of a place belongs to an earlier one"""
    predicting: torch.Tensor
    """(S · T,): the row that predicts each target"""
    targets: torch.Tensor
    """(S · T,)"""
    weights: torch.Tensor
    """(S · T, 1) float32: of each target's loss"""
    target_of: torch.Tensor
    """(S · R,): the target that a row predicts"""
    is_silent: torch.Tensor
    """(S · R, 1) bool: whether it predicts none"""

    @classmethod
    def empty(cls, shape: PassShape, device: torch.device) -> Layout:
        """Return the layout without any job."""
        s, r, places = shape.slots, shape.rows, shape.segments * shape.length
        first_rows = torch.arange(s) * r

        def number(n: int) -> torch.Tensor:
            return torch.zeros(s * n, dtype=torch.int64)

        def yes(n: int) -> torch.Tensor:
            return torch.ones((s * n, 1), dtype=torch.bool)

        found = cls(
            token_ids=number(r),
            positions=number(r),
            is_padding=yes(r),
            is_shared=torch.zeros((s, min(r, shape.length), 1), dtype=torch.bool),
            places=(torch.arange(s) * places).repeat_interleave(r),
            rows=first_rows.repeat_interleave(places),
            is_again=yes(places),
            predicting=first_rows.repeat_interleave(shape.targets),
            targets=number(shape.targets),
            weights=torch.zeros((s * shape.targets, 1)),
            target_of=(torch.arange(s) * shape.targets).repeat_interleave(r),
            is_silent=yes(r),
        )
        return cls(*(getattr(found, each.name).to(device) for each in fields(cls)))

    def take(self, other: Layout) -> None:
        """Become what `other` is, in place."""
        for each in fields(self):
            getattr(self, each.name).copy_(getattr(other, each.name))


def laid_out(shape: PassShape, parts: Sequence[Part]) -> Layout:
    """Return where everything of `parts` is, on the CPU."""
    found = Layout.empty(shape, torch.device("cpu"))
    for slot, part in enumerate(parts):
        _lay(found, shape, slot, part)
    return found


def _lay(layout: Layout, shape: PassShape, slot: int, part: Part) -> None:
    """Write one slot: rows are what is shared, then each example's own."""
    shared, first = shared_prefix(part.examples), slot * shape.rows
    layout.is_shared[slot, :shared] = True
    own, target = first + shared, slot * shape.targets
    for number, example in enumerate(part.examples):
        length = len(example.token_ids)
        rows = np.r_[first : first + shared, own : own + length - shared]
        place = (slot * shape.segments + number) * shape.length
        _place(layout, rows, place, shared if number else 0)
        layout.token_ids.numpy()[rows] = example.token_ids
        target = _predict(layout, example, rows, target, part.weight)
        own += length - shared


def _place(layout: Layout, rows: np.ndarray, place: int, copied: int) -> None:
    """Write where one example's rows are, of which the first `copied` are somewhere already."""
    n = len(rows)
    layout.positions.numpy()[rows] = np.arange(n)
    layout.is_padding.numpy()[rows] = False
    layout.places.numpy()[rows[copied:]] = np.arange(place + copied, place + n)
    layout.rows.numpy()[place : place + n] = rows
    layout.is_again.numpy()[place + copied : place + n] = False


def _predict(
    layout: Layout, example: TrainingExample, rows: np.ndarray, target: int, weight: float
) -> int:
    """Write one example's targets from `target` on; return where the next one's begin."""
    learned = np.flatnonzero(example.loss_mask[1:])  # t predicts t + 1
    end = target + len(learned)
    predicting = rows[learned]
    layout.predicting.numpy()[target:end] = predicting
    layout.targets.numpy()[target:end] = np.asarray(example.token_ids)[learned + 1]
    layout.weights.numpy()[target:end] = weight
    layout.target_of.numpy()[predicting] = np.arange(target, end)
    layout.is_silent.numpy()[predicting] = False
    return end


class Grid:
    """Between S · R rows, each computed once, and S · G · L places: every example whole.

    Only gathers and sums, so that it finds the same every time.
    """

    def __init__(self, shape: PassShape, layout: Layout) -> None:
        self._shape, self._layout = shape, layout

    def spread(self, x: torch.Tensor) -> torch.Tensor:
        """(S · R, w) → (S · G · L, w)"""
        return x[self._layout.rows]

    def gathered(self, dy: torch.Tensor) -> torch.Tensor:
        """The gradient of `spread`, summed in float32."""
        dx = dy[self._layout.places].masked_fill_(self._layout.is_padding, 0)
        if self._shape.segments > 1:
            is_shared = self._layout.is_shared
            n, s = is_shared.shape[1], self._shape
            copies = dy.view(s.slots, s.segments, s.length, -1)[:, :, :n]
            total = copies.sum(1, dtype=torch.float32).to(dy.dtype)
            mine = dx.view(s.slots, s.rows, -1)[:, :n]
            mine.copy_(torch.where(is_shared, total, mine))
        return dx

    def chosen(self, y: torch.Tensor) -> torch.Tensor:
        """(S · G · L, w) → (S · R, w): of each row one of its copies, which are all alike."""
        return y[self._layout.places]

    def restored(self, dx: torch.Tensor) -> torch.Tensor:
        """The gradient of `chosen`."""
        return dx[self._layout.rows].masked_fill_(self._layout.is_again, 0)


class Spread(torch.autograd.Function):
    """(S · R, w) → (S · G · L, w)"""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, grid: Grid) -> torch.Tensor:
        ctx.grid = grid
        return grid.spread(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.grid.gathered(dy), None


class Chosen(torch.autograd.Function):
    """(S · G · L, w) → (S · R, w)"""

    @staticmethod
    def forward(ctx: Any, y: torch.Tensor, grid: Grid) -> torch.Tensor:
        ctx.grid = grid
        return grid.chosen(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dx: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.grid.restored(dx), None
