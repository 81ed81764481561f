"""How far learning one conversation would help others: the angle between their gradients.

A step along the gradient of z changes the loss of z′ by −η ∇ℓ(z)·∇ℓ(z′), to first order: influence
by alignment (TracIn, arXiv 2002.08484; LESS, arXiv 2402.04333, from where the cosine is, as short
answers have large gradients). The gradient is that of a fresh adapter: as its B is 0, that of B is
the base's own gradient, projected by the random A. It is sketched to `WIDTH` numbers (count sketch,
Charikar et al. 2002), which keeps inner products on average.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence

import torch

from adaptation.conversation import Conversation
from adaptation.errors import TrainerError
from adaptation.learning.service import adapter_io
from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.asking import Ask, answer
from adaptation.learning.service.base import Base
from adaptation.learning.service.scheduler import ROOM
from adaptation.learning.training.sequences import TrainingExample, to_example

RANK, SEED = 4, 0
TOGETHER = 8
"""Conversations whose gradients are found in one pass, where there is room."""
WIDTH = 8_192


def align(
    base: Base,
    conversations: Sequence[Conversation],
    reference: Collection[int],
    max_tokens: int,
    cancelled: threading.Event,
) -> tuple[float, ...]:
    """Return for each conversation the cosine of its gradient with the mean of the reference's.

    `reference` are places; a conversation that is of it is compared with the others of it. Raises
    `TrainerError` where it is cancelled.
    """
    examples = [to_example(base.chat, each, max_tokens, last_only=True) for each in conversations]
    rows = [row for some in _sketches(base, examples, cancelled) for row in some]
    sketches = torch.nn.functional.normalize(torch.stack(rows), dim=1)  # (N, WIDTH)
    is_of_it = torch.zeros(len(rows), 1)
    is_of_it[sorted(reference)] = 1
    others = (sketches * is_of_it).sum(0) - sketches * is_of_it  # (N, WIDTH)
    cosines = (sketches * torch.nn.functional.normalize(others, dim=1)).sum(1)
    return tuple(cosines.nan_to_num().tolist())


def _sketches(
    base: Base, examples: Sequence[TrainingExample], cancelled: threading.Event
) -> Iterator[list[torch.Tensor]]:
    """Yield the sketches (WIDTH,) of some examples' gradients after the other."""
    adapters = [adapter_io.fresh(base, RANK, SEED) for _ in examples[:TOGETHER]]
    places, signs = _hashes(adapters[0].flat.numel(), base.device)
    room = ROOM[base.device.type].tokens
    for start in range(0, len(examples), TOGETHER):
        if cancelled.is_set():
            raise TrainerError("the job was cancelled")
        some = examples[start : start + TOGETHER]
        asks = [Ask(mine, [each], learns=True) for mine, each in zip(adapters, some, strict=False)]
        answer(base, asks, room)
        yield [_sketch(ask.adapter, places, signs) for ask in asks]


def _hashes(n: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a place and a sign for each of n numbers."""
    generator = torch.Generator().manual_seed(SEED)
    places = torch.randint(WIDTH, (n,), generator=generator)
    signs = torch.randint(2, (n,), generator=generator) * 2.0 - 1.0
    return places.to(device), signs.to(device)


def _sketch(adapter: Adapter, places: torch.Tensor, signs: torch.Tensor) -> torch.Tensor:
    gradient = adapter.master.grad
    assert gradient is not None
    sketch = torch.zeros(WIDTH, device=gradient.device)
    sketch.index_add_(0, places, gradient * signs)
    adapter.forget()
    return sketch.cpu()
