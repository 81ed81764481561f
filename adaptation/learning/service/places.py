"""Where the rows of a pass lie when attention looks at each segment for itself.

Segments of about the same size share a bucket, padded to multiples of 16 that depend on the segment
alone: what a job computes never depends on who else is in the batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

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
    """Weights of a norm over each head of queries, and of keys."""
    k_weight: torch.Tensor | None = None
    eps: float = 0.0
    layer: int = 0
    """Which of the model's it is."""


@dataclass(frozen=True)
class Segment:
    """Rows of which each sees itself, those ahead of it, and all that come before the segment."""

    rows: range
    before: range = range(0)
    """Others may have the same rows before them."""


def one_after_the_other(lengths: Sequence[int]) -> list[Segment]:
    """Return segments that have nothing before them."""
    ends = [*accumulate(lengths)]
    return [Segment(range(end - n, end)) for n, end in zip(lengths, ends, strict=True)]


@dataclass(frozen=True)
class Block:
    """The queries, or the keys, of a bucket's segments, padded to one size."""

    first_place: int
    """Among the places of all buckets."""
    n: int
    """Segments."""
    size: int
    rows: torch.Tensor
    """Rows of the pass; one that comes before several segments is there as often."""
    inside: torch.Tensor
    """Which of this block's places each of those has."""

    def of(self, flat: torch.Tensor, width: int) -> torch.Tensor:
        """Return this block's part of a flat tensor with `width` elements a place."""
        first = self.first_place * width
        return flat[first : first + self.n * self.size * width]


@dataclass(frozen=True)
class Bucket:
    """Segments padded to one size."""

    queries: Block
    keys: Block
    lengths: torch.Tensor
    """(n,) int64: queries of each"""
    before: torch.Tensor
    """(n,) int64: keys before the first query"""


class Side:
    """All places of queries, or of keys."""

    def __init__(self, blocks: Sequence[Block], n_rows: int) -> None:
        self.blocks, self.n_rows = blocks, n_rows
        self.n_places = sum(block.n * block.size for block in blocks)
        rows = torch.cat([block.rows for block in blocks])
        self.order = rows.argsort(stable=True)
        """(N',): what is in a block's order, in the order of rows."""
        self.copies = rows.bincount(minlength=n_rows)
        """(N,): places of each row"""
        self.has_copies = len(rows) > n_rows

    @cached_property
    def starts(self) -> torch.Tensor:
        """(N + 1,): where in `at` a row's places begin."""
        return torch.cat((self.copies.new_zeros(1), self.copies.cumsum(0)))

    @cached_property
    def at(self) -> torch.Tensor:
        """(N', 3), in the order of rows: a segment's first place, its size, the place in it."""
        found = []
        for block in self.blocks:
            place = block.inside % block.size
            first = block.first_place + block.inside - place
            found.append(torch.stack((first, torch.full_like(place, block.size), place), 1))
        return torch.cat(found)[self.order]


class Places:
    """The layout of one pass."""

    def __init__(self, segments: Sequence[Segment], device: torch.device) -> None:
        by_size: dict[tuple[int, int], list[Segment]] = defaultdict(list)
        for each in segments:
            by_size[_padded(len(each.rows)), _padded(len(each.before))].append(each)
        self.buckets: list[Bucket] = []
        n_queries = n_keys = 0
        for (own, before), some in sorted(by_size.items(), key=lambda item: item[0]):
            queries = _block(n_queries, own, [[each.rows] for each in some], device)
            keys = _block(n_keys, before + own, [[each.before, each.rows] for each in some], device)
            lengths = torch.tensor([len(each.rows) for each in some], device=device)
            n_before = torch.tensor([len(each.before) for each in some], device=device)
            self.buckets.append(Bucket(queries, keys, lengths, n_before))
            n_queries += own * len(some)
            n_keys += (before + own) * len(some)
        n_rows = sum(len(each.rows) for each in segments)
        self.queries = Side([bucket.queries for bucket in self.buckets], n_rows)
        """A place for each row."""
        self.keys = Side([bucket.keys for bucket in self.buckets], n_rows)


def _padded(n: int) -> int:
    return -(-n // MULTIPLE) * MULTIPLE


def _block(
    first_place: int, size: int, segments: Sequence[Sequence[range]], device: torch.device
) -> Block:
    """`segments`: the rows of each, in order."""
    rows = [torch.arange(each.start, each.stop) for some in segments for each in some]
    lengths = [sum(map(len, some)) for some in segments]
    inside = [torch.arange(length) + i * size for i, length in enumerate(lengths)]
    return Block(
        first_place, len(segments), size, torch.cat(rows).to(device), torch.cat(inside).to(device)
    )
