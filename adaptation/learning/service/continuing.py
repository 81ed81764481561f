"""Replies of a known family's model, several at once: each prompt is read once, what ended leaves.

A reply's draws are its own, by seed, prompt, and how many of the same prompt came before it: they
are the same whoever is decoded beside it, and the first ones the same whatever the limit.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import torch

from adaptation.errors import TrainerError
from adaptation.learning.service.base import Base
from adaptation.learning.service.reading import Cache, Next, Pass, Prompts
from adaptation.learning.training.trainer import Draw
from memory.text import digest

BATCH = 128
"""Replies decoded together, at most."""
PLACES = 65_536
"""Tokens that they may come to, prompts included, at most."""
MORE = 64
"""Tokens by which the room for each grows."""
FEW = 0.75
"""Share of a cache's rows under way, at which those that ended leave it: what stays is copied."""


class Choice:
    """The next token of each reply: the likeliest, or one that is drawn."""

    def __init__(self, draw: Draw | None, prompts: Sequence[Sequence[int]]) -> None:
        self._temperature = draw.temperature if draw else None
        self._drawing = _drawing(draw, prompts) if draw else []

    def of(self, logits: torch.Tensor, places: Sequence[int]) -> torch.Tensor:
        """Return a token (B,) for each row of logits (B, V): the next of the reply in a place."""
        if self._temperature is None:
            return logits.argmax(-1)
        drawn = [[self._drawing[place].random()] for place in places]  # (B, 1)
        up_to = (logits.float() / self._temperature).softmax(-1).cumsum(-1)  # (B, V)
        sought = up_to[:, -1:] * torch.tensor(drawn, device=logits.device)
        found = torch.searchsorted(up_to, sought, right=True).squeeze(1)
        return found.clamp_(max=logits.shape[1] - 1)


def replies(
    base: Base,
    prompts: Sequence[Sequence[int]],
    most: int,
    stops: set[int],
    draw: Draw | None,
    cancelled: threading.Event,
) -> Iterator[tuple[int, list[int]]]:
    """Yield each prompt's place and its reply of at most `most` tokens, as soon as it has ended.

    Raises `TrainerError` where it is cancelled.
    """
    choice = Choice(draw, prompts)
    for places in _batches(prompts, most):
        said: dict[int, list[int]] = {place: [] for place in places}
        cache, logits = _read(base, [prompts[place] for place in places])
        while True:
            if cancelled.is_set():
                raise TrainerError("the job was cancelled")
            tokens = choice.of(logits, places)
            yield from _ended(said, places, tokens.tolist(), most, stops)
            if not said:
                break
            if len(said) <= FEW * len(places) or cache.longest == cache.room:
                going = [row for row, place in enumerate(places) if place in said]
                places, tokens = [places[row] for row in going], tokens[going]
                cache = cache.rows(going, cache.longest + MORE)
            logits = _read_on(base, tokens, cache)


def _ended(
    said: dict[int, list[int]],
    places: Sequence[int],
    tokens: Sequence[int],
    most: int,
    stops: set[int],
) -> Iterator[tuple[int, list[int]]]:
    """Add a token to each reply that is under way; yield, and take out, those that end by it."""
    for place, token in zip(places, tokens, strict=True):
        if (reply := said.get(place)) is None:
            continue
        if token not in stops:
            reply.append(token)
        if token in stops or len(reply) == most:
            yield place, said.pop(place)


def _read(base: Base, prompts: Sequence[Sequence[int]]) -> tuple[Cache, torch.Tensor]:
    """Read prompts, each once; return what is remembered, and the logits (B, V) of what follows."""
    apart = {prompt: number for number, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    lengths = torch.tensor([len(prompt) for prompt in apart], device=base.device)
    cache = Cache(lengths, max(map(len, apart)))
    reading = Prompts([*apart], cache)
    logits = _logits(base, reading, reading.last)
    rows = [apart[tuple(prompt)] for prompt in prompts]
    return cache.rows(rows, cache.room + MORE), logits[rows]


def _read_on(base: Base, tokens: torch.Tensor, cache: Cache) -> torch.Tensor:
    """Read a token more of every row; return the logits (B, V) of what follows."""
    logits = _logits(base, Next(tokens, cache), slice(None))
    cache.lengths += 1
    return logits


def _logits(base: Base, reading: Pass, rows: torch.Tensor | slice) -> torch.Tensor:
    with base.on_stage(reading):
        hidden = base.hidden(reading)[rows]
    return hidden @ base.head_weight.t()


def _batches(prompts: Sequence[Sequence[int]], most: int) -> Iterator[list[int]]:
    """Yield places of prompts of about one length, as many together as there is room for."""
    batch: list[int] = []
    for place in sorted(range(len(prompts)), key=lambda place: len(prompts[place])):
        tokens = (len(batch) + 1) * (len(prompts[place]) + most)
        if batch and (len(batch) == BATCH or tokens > PLACES):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _drawing(draw: Draw, prompts: Sequence[Sequence[int]]) -> list[Random]:
    before = Counter[tuple[int, ...]]()
    found = []
    for prompt in map(tuple, prompts):
        found.append(Random(digest([draw.seed, prompt, draw.first + before[prompt]])))
        before[prompt] += 1
    return found
