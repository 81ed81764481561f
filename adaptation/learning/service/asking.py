"""What a job asks of the base between two steps of its own, and how many are answered at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.base import Base
from adaptation.learning.service.packing import Part, n_targets
from adaptation.learning.service.sharing import cost, costs
from adaptation.learning.training.sequences import TrainingExample

Losses = tuple[torch.Tensor, ...]
"""Losses of each example, (targets,) in nats."""


@dataclass(frozen=True)
class Ask:
    """Losses of examples under an adapter and, where it `learns`, the gradient of their mean."""

    adapter: Adapter
    examples: Sequence[TrainingExample]
    learns: bool

    @property
    def cost(self) -> int:
        """What it takes of a pass, in tokens."""
        return cost(self.examples)


def answer(base: Base, asks: Sequence[Ask], most_tokens: int) -> list[Losses]:
    """Answer every ask, all of a kind in one forward (and backward) as far as there is room."""
    found: list[list[torch.Tensor]] = [[] for _ in asks]
    for learns in (True, False):
        run = base.learn if learns else base.look
        mine = [number for number, ask in enumerate(asks) if ask.learns is learns]
        for some in _passes(base, asks, mine, most_tokens):
            for number, losses in zip(some, run(list(some.values())), strict=True):
                found[number] += losses
    return [tuple(losses) for losses in found]


def mean(losses: Losses) -> float:
    """Return the mean over all targets."""
    return float(torch.cat(losses).mean()) if losses else 0.0


def means(losses: Losses) -> tuple[float, ...]:
    """Return the mean of each example; 0 of one without a target."""
    return tuple(float(each.mean()) if len(each) else 0.0 for each in losses)


def _passes(
    base: Base, asks: Sequence[Ask], mine: Sequence[int], most_tokens: int
) -> list[dict[int, Part]]:
    """Split into passes of at most `most_tokens`: for each, what every ask brings to it.

    An ask that fits one pass is in one; a larger one shares none of its. So the passes of an ask
    are the same whoever else asks.
    """
    passes: list[dict[int, Part]] = []
    filled = most_tokens
    for number in mine:
        ask = asks[number]
        taken = ask.cost
        weight = 1.0 / max(1, n_targets(ask.examples))
        parts = [Part(ask.adapter, some, weight) for some in _chunks(base, ask, most_tokens)]
        if len(parts) == 1 and filled + taken <= most_tokens and base.packs:
            passes[-1][number] = parts[0]
            filled += taken
        else:
            passes += [{number: part} for part in parts]
            filled = taken if len(parts) == 1 else most_tokens
    return passes


def _chunks(base: Base, ask: Ask, most_tokens: int) -> list[list[TrainingExample]]:
    """Split the examples of one ask, in order, as few times as there is need to."""
    chunks: list[list[TrainingExample]] = []
    filled, (together, each) = 0, costs(ask.examples)
    for example, size in zip(ask.examples, each, strict=True):
        if not chunks or filled + size > most_tokens or not base.packs:
            chunks.append([])
            filled = together
        chunks[-1].append(example)
        filled += size
    return chunks
