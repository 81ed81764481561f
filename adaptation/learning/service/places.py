"""Where the tokens of packed segments lie when attention looks at each segment for itself.

Segments of about the same length share a bucket, padded to a multiple of 16 that depends on the
segment's own length alone: what a job computes never depends on who else is in the batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

MULTIPLE = 16


@dataclass(frozen=True)
class Heads:
    """What attention has to know of a layer beside its projected rows."""

    n_q: int
    n_kv: int
    width: int
    """D, of one head"""
    scale: float
    window: int
    """Keys that a query sees, itself included; huge where it sees all before it."""
    cos: torch.Tensor | None = None
    """(N, D), and None where the rows come rotated."""
    sin: torch.Tensor | None = None
    q_weight: torch.Tensor | None = None
    """Of a norm over each head of queries, and of keys."""
    k_weight: torch.Tensor | None = None
    eps: float = 0.0


@dataclass(frozen=True)
class Bucket:
    """Segments padded to one size."""

    first_row: int
    """Of its padded rows among all."""
    size: int
    lengths: torch.Tensor
    """(n,) int64"""
    tokens: torch.Tensor
    """Indices of its tokens among the packed ones."""
    inside: torch.Tensor
    """Where each of those lies in the padded rows of this bucket."""

    @property
    def n(self) -> int:
        """Segments."""
        return len(self.lengths)

    def of(self, flat: torch.Tensor, width: int) -> torch.Tensor:
        """Return this bucket's part of a flat tensor with `width` elements a padded row."""
        return flat[self.first_row * width : (self.first_row + self.n * self.size) * width]


class Places:
    """The layout of one pass."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        self.tokens = sum(lengths)
        by_size: dict[int, list[tuple[int, int]]] = defaultdict(list)
        start = 0
        for length in lengths:
            by_size[-(-length // MULTIPLE) * MULTIPLE].append((start, length))
            start += length
        self.buckets: list[Bucket] = []
        self.rows = 0
        """Padded, of all buckets."""
        for size, segments in sorted(by_size.items()):
            self.buckets.append(_bucket(self.rows, size, segments, device))
            self.rows += size * len(segments)

    @cached_property
    def of_tokens(self) -> torch.Tensor:
        """For every token: first padded row of its segment, padded size, place; (N, 3) int64."""
        found = torch.empty((self.tokens, 3), dtype=torch.int64)
        for bucket in self.buckets:
            place = bucket.inside % bucket.size
            found[bucket.tokens, 0] = bucket.first_row + bucket.inside - place
            found[bucket.tokens, 1] = bucket.size
            found[bucket.tokens, 2] = place
        return found


def _bucket(
    first_row: int, size: int, segments: Sequence[tuple[int, int]], device: torch.device
) -> Bucket:
    tokens = [torch.arange(start, start + length) for start, length in segments]
    inside = [torch.arange(length) + i * size for i, (_, length) in enumerate(segments)]
    lengths = torch.tensor([length for _, length in segments])
    return Bucket(
        first_row,
        size,
        lengths.to(device),
        torch.cat(tokens).to(device),
        torch.cat(inside).to(device),
    )
