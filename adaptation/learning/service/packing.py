"""Several jobs' examples as one row without padding, and what belongs to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch

from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.places import Places
from adaptation.training.sequences import TrainingExample


@dataclass(frozen=True)
class Share:
    """What one adapter has in a pass: its tokens and its targets, each from and to."""

    adapter: Adapter
    start: int
    end: int
    first_target: int
    last_target: int
    weight: float
    """Of each target's loss in the adapter's."""


@dataclass(frozen=True)
class Part:
    """What one adapter brings to a pass."""

    adapter: Adapter
    examples: Sequence[TrainingExample]
    weight: float = 0.0

    @property
    def n_tokens(self) -> int:
        """Of all its examples."""
        return sum(len(example.token_ids) for example in self.examples)


class Packed:
    """One pass over N tokens with M targets."""

    def __init__(self, parts: Sequence[Part], device: torch.device) -> None:
        examples = [example for part in parts for example in part.examples]
        lengths = [len(example.token_ids) for example in examples]
        self.n_tokens = sum(lengths)
        self.token_ids = torch.tensor(
            [[*chain.from_iterable(e.token_ids for e in examples)]], device=device
        )  # (1, N)
        self.positions = torch.cat([torch.arange(n) for n in lengths])[None].to(device)  # (1, N)
        self.places = Places(lengths, device)
        learned = [[*example.loss_mask[1:], False] for example in examples]  # t predicts t + 1
        mask = torch.tensor([*chain.from_iterable(learned)])
        self.predicting = mask.nonzero().flatten().to(device)  # (M,)
        self.targets = self.token_ids[0, self.predicting + 1]  # (M,)
        self.of_examples = [sum(row) for row in learned]
        """Targets of each example."""
        self.shares = _shares(parts)


def n_targets(examples: Sequence[TrainingExample]) -> int:
    """Return how many tokens of `examples` carry loss; the first of one is not predicted."""
    return sum(sum(example.loss_mask[1:]) for example in examples)


def _shares(parts: Sequence[Part]) -> list[Share]:
    shares: list[Share] = []
    start = first = 0
    for part in parts:
        end, last = start + part.n_tokens, first + n_targets(part.examples)
        shares.append(Share(part.adapter, start, end, first, last, part.weight))
        start, first = end, last
    return shares
