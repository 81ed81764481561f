"""Several jobs' examples as one row without padding, and what belongs to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch

from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.places import Places, Segment
from adaptation.learning.service.sharing import shared_prefix
from adaptation.learning.training.sequences import TrainingExample


@dataclass(frozen=True)
class Share:
    """What one adapter has in a pass: its rows and its targets, each from and to."""

    adapter: Adapter
    start: int
    end: int
    first_target: int
    last_target: int
    weight: float
    """Weight of each target's loss in the adapter's loss."""


@dataclass(frozen=True)
class Part:
    """What one adapter brings to a pass."""

    adapter: Adapter
    examples: Sequence[TrainingExample]
    weight: float = 0.0


@dataclass(frozen=True)
class Piece:
    """Tokens of an example, from and to, that are computed one after the other."""

    example: TrainingExample
    start: int
    end: int

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Its tokens."""
        return self.example.token_ids[self.start : self.end]

    @property
    def learned(self) -> tuple[bool, ...]:
        """Which of its tokens predict a target: t predicts t + 1."""
        return (*self.example.loss_mask[1:], False)[self.start : self.end]


class Packed:
    """One pass over N rows with M targets: a row is a token, or one that examples share."""

    def __init__(self, parts: Sequence[Part], device: torch.device, multiple: int = 1) -> None:
        """Each part's rows are filled up to a `multiple`, by some that nothing is learned of."""
        of_parts = [_filled(pieces_of(part.examples), multiple) for part in parts]
        pieces = [*chain.from_iterable(of_parts)]
        self.token_ids = torch.tensor(
            [[*chain.from_iterable(piece.token_ids for piece in pieces)]], device=device
        )  # (1, N)
        self.n_rows = self.token_ids.shape[1]
        positions = [torch.arange(piece.start, piece.end) for piece in pieces]
        self.positions = torch.cat(positions)[None].to(device)  # (1, N)
        mask = torch.tensor([*chain.from_iterable(piece.learned for piece in pieces)])
        self.predicting = mask.nonzero().flatten().to(device)  # (M,)
        self.targets = self.token_ids[0, self.predicting + 1]  # (M,)
        examples = [example for part in parts for example in part.examples]
        self.places = Places(_segments(of_parts), device)
        self.of_examples = [n_targets([example]) for example in examples]
        """Targets of each example."""
        self.shares = _shares(parts, of_parts)


def pieces_of(examples: Sequence[TrainingExample]) -> list[Piece]:
    """Return what the examples of one job share, and then each one's own."""
    shared = shared_prefix(examples)
    first = [Piece(examples[0], 0, shared)] if shared else []
    return [*first, *(Piece(example, shared, len(example.token_ids)) for example in examples)]


def _filled(pieces: list[Piece], multiple: int) -> list[Piece]:
    n = -_n_rows(pieces) % multiple
    nothing = TrainingExample((0,) * n, (False,) * n)
    return [*pieces, Piece(nothing, 0, n)] if n else pieces


def n_rows(examples: Sequence[TrainingExample]) -> int:
    """Return how many tokens of `examples` are computed where they share a pass."""
    return _n_rows(pieces_of(examples))


def n_targets(examples: Sequence[TrainingExample]) -> int:
    """Return how many tokens of `examples` carry loss; the first of one is not predicted."""
    return sum(sum(example.loss_mask[1:]) for example in examples)


def _n_rows(pieces: Sequence[Piece]) -> int:
    return sum(piece.end - piece.start for piece in pieces)


def _segments(of_parts: Sequence[Sequence[Piece]]) -> list[Segment]:
    """Return what a job's examples share, and each one's own, which that comes before."""
    segments: list[Segment] = []
    row = 0
    for pieces in of_parts:
        first = row
        for piece in pieces:
            end = row + piece.end - piece.start
            segments.append(Segment(range(row, end), range(first, first + piece.start)))
            row = end
    return segments


def _shares(parts: Sequence[Part], of_parts: Sequence[Sequence[Piece]]) -> list[Share]:
    shares: list[Share] = []
    start = first = 0
    for part, pieces in zip(parts, of_parts, strict=True):
        end, last = start + _n_rows(pieces), first + n_targets(part.examples)
        shares.append(Share(part.adapter, start, end, first, last, part.weight))
        start, first = end, last
    return shares
