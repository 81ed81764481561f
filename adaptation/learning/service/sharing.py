"""What all examples of a job begin with is computed once.

The examples of a neighbourhood begin with the same system turn and the same words of the template:
often most of each. Under causal attention nothing depends on what follows it, so one copy serves
them all. Only attention sees every example whole; it works on copies, whose gradients add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from adaptation.training.sequences import TrainingExample

LEAST_SHARED = 1 / 8
"""Of all tokens that sharing must save: copying costs something too."""
COPY_COST = 1 / 4
"""Of a copied token beside one of its own: it is in attention alone, and in its memory."""


def shared_prefix(examples: Sequence[TrainingExample]) -> int:
    """Return how many tokens `examples` begin with alike, none of which predicts a target.

    0 where sharing them would save too little.
    """
    if len(examples) < 2:
        return 0
    beginnings = [example.token_ids[: _before_targets(example)] for example in examples]
    # What the first and the last in order begin with alike, all between them begin with.
    outermost = zip(min(beginnings), max(beginnings), strict=False)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], outermost))
    total = sum(len(example.token_ids) for example in examples)
    return alike if alike * (len(examples) - 1) >= max(1, LEAST_SHARED * total) else 0


def costs(examples: Sequence[TrainingExample]) -> tuple[int, list[int]]:
    """Return what `examples` take of a pass, in tokens: together, and each in addition."""
    shared = shared_prefix(examples)
    return shared, [
        len(example.token_ids) - shared + int(COPY_COST * shared) for example in examples
    ]


def cost(examples: Sequence[TrainingExample]) -> int:
    """Return what `examples` take of a pass, in tokens."""
    together, each = costs(examples)
    return together + sum(each)


def _before_targets(example: TrainingExample) -> int:
    """Return how many tokens lie before the one that predicts the first target."""
    learned = example.loss_mask[1:]
    return learned.index(True) if True in learned else len(learned)


@dataclass(frozen=True)
class Run:
    """Rows that are copied: from `start`, and where each copy of them begins."""

    start: int
    length: int
    copies: tuple[int, ...]


class Copies:
    """Between N rows, each computed once, and the N' of every example whole."""

    def __init__(self, examples: Sequence[Sequence[TrainingExample]], device: torch.device) -> None:
        """`examples` of each job, in the order of the rows: what they share, then each one's."""
        self._runs: list[Run] = []
        found: list[torch.Tensor] = []
        row = copied = 0
        for some in examples:
            start, shared, copies = row, shared_prefix(some), []
            row += shared
            for example in some:
                own = len(example.token_ids) - shared
                found += [torch.arange(start, start + shared), torch.arange(row, row + own)]
                copies.append(copied)
                row, copied = row + own, copied + own + shared
            if shared:
                self._runs.append(Run(start, shared, tuple(copies)))
        rows = torch.cat(found)
        first = torch.empty(row, dtype=torch.int64)
        # On a CPU the last one written stays: the first copy. On a device any might.
        first[rows.flip(0)] = torch.arange(copied - 1, -1, -1)
        self.rows = rows.to(device)
        """(N',): the row that each copies."""
        self._first = first.to(device)

    @property
    def are_needed(self) -> bool:
        """Whether anything is shared."""
        return bool(self._runs)

    def spread(self, x: torch.Tensor) -> torch.Tensor:
        """(N, w) → (N', w)"""
        return x[self.rows]

    def gathered(self, dy: torch.Tensor) -> torch.Tensor:
        """The gradient of `spread`: (N', w) → (N, w), summed in float32."""
        dx = dy[self._first]
        for run in self._runs:
            copies = [dy[start : start + run.length] for start in run.copies]
            dx[run.start : run.start + run.length] = torch.stack(copies).float().sum(0)
        return dx

    def chosen(self, y: torch.Tensor) -> torch.Tensor:
        """(N', w) → (N, w): of each row one of its copies, which are all alike."""
        return y[self._first]

    def restored(self, dx: torch.Tensor) -> torch.Tensor:
        """The gradient of `chosen`: (N, w) → (N', w)."""
        dy = dx.new_zeros((len(self.rows), dx.shape[1]))
        dy[self._first] = dx
        return dy


class Spread(torch.autograd.Function):
    """(N, w) → (N', w)"""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, copies: Copies) -> torch.Tensor:
        ctx.copies = copies
        return copies.spread(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.copies.gathered(dy), None


class Chosen(torch.autograd.Function):
    """(N', w) → (N, w)"""

    @staticmethod
    def forward(ctx: Any, y: torch.Tensor, copies: Copies) -> torch.Tensor:
        ctx.copies = copies
        return copies.chosen(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dx: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.copies.restored(dx), None
