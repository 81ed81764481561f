"""Replies of a known family's model, several at once: each prompt is read once, what ended leaves.

A reply's draws are its own, by seed, prompt, and how many of the same prompt came before it: they
are the same whoever is decoded beside it, and the first ones the same whatever the limit.

Where few replies are under way a pass waits for the weights. What followed when a reply last said
the same is then read on trial (prompt lookup decoding; speculative sampling, arXiv 2211.17192), and
kept as far as it is what is chosen: a reply that goes round in a circle takes few passes, and is
the one it would have been.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice, takewhile
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
CACHE_BYTES = 2**32
"""Of keys and values, at most: of a large model fewer tokens. One reply may take more."""
MORE = 64
"""Tokens by which the room for each grows."""
GUESSED = 8
"""Tokens that are read on trial in one pass, where a reply says again what it said before."""
TOGETHER = 32
"""Tokens up to which a pass takes hardly longer than one of a single token: weights are read."""
ALIKE = 3
"""Tokens that were said before, from which on what followed them is guessed again."""
FEW = 0.75
"""Share of a cache's rows under way, at which those that ended leave it: what stays is copied."""


class Choice:
    """The next tokens of each reply: the likeliest, or those that are drawn."""

    def __init__(self, draw: Draw | None, prompts: Sequence[Sequence[int]]) -> None:
        self._temperature = draw.temperature if draw else None
        self._drawing = _drawing(draw, prompts) if draw else []
        self._drawn: list[list[float]] = [[] for _ in self._drawing]

    def of(self, logits: torch.Tensor, replies: Sequence[Reply]) -> list[list[int]]:
        """Return Q tokens for each row of logits (B, Q, V), as they would follow each other."""
        if self._temperature is None:
            likeliest: list[list[int]] = logits.argmax(-1).tolist()
            return likeliest
        n = logits.shape[1]
        drawn = [self._of(each.place, len(each.said), n) for each in replies]
        up_to = (logits.float() / self._temperature).softmax(-1).cumsum(-1)  # (B, Q, V)
        total = up_to[..., -1]
        sought = total * torch.tensor(drawn, device=logits.device)
        # Rounded to the total, it would be beyond every token that can be drawn.
        sought = sought.minimum(total.nextafter(torch.zeros_like(total)))
        places = torch.searchsorted(up_to, sought[..., None], right=True).squeeze(-1)
        found: list[list[int]] = places.tolist()
        return found

    def _of(self, place: int, first: int, n: int) -> list[float]:
        """Return the numbers by which the tokens of a reply are drawn, from the `first` on."""
        drawn = self._drawn[place]
        drawn += [self._drawing[place].random() for _ in range(first + n - len(drawn))]
        return drawn[first : first + n]


@dataclass
class Reply:
    """A reply under way."""

    place: int
    prompt: Sequence[int]
    said: list[int] = field(default_factory=list)
    has_ended: bool = False

    def take(self, tokens: Sequence[int], most: int, stops: set[int]) -> None:
        """Say tokens, up to what ends it."""
        for token in tokens:
            if self.has_ended:
                return
            if token not in stops:
                self.said.append(token)
            self.has_ended = token in stops or len(self.said) == most

    def guess(self, n: int) -> list[int]:
        """Return n tokens that may follow: those that followed when it last said the same.

        Where it goes round in a circle, so does the guess; nothing where it says something new.
        """
        so_far = [*self.prompt, *self.said]
        tail = so_far[-ALIKE:]
        for end in range(len(so_far) - 1, ALIKE - 1, -1):
            if so_far[end - ALIKE : end] == tail:
                return [*islice(cycle(so_far[end:]), n)]
        return []


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
    for places in _batches(prompts, most, min(PLACES, CACHE_BYTES // base.cache_bytes)):
        rows = [Reply(place, prompts[place]) for place in places]  # as in the cache
        cache, logits = _read(base, [each.prompt for each in rows])
        read = [[0] for _ in rows]  # of each row a token that is sure, and guesses
        while True:
            if cancelled.is_set():
                raise TrainerError("the job was cancelled")
            going = [each for each in rows if not each.has_ended]
            tokens = _say(rows, read, choice.of(logits, rows), most, stops, cache)
            yield from ((each.place, each.said) for each in going if each.has_ended)
            if all(each.has_ended for each in going):
                break
            if sum(not each.has_ended for each in going) <= FEW * len(rows) or _is_full(cache):
                left = [row for row, each in enumerate(rows) if not each.has_ended]
                rows, tokens = [rows[row] for row in left], [tokens[row] for row in left]
                cache = cache.rows(left, cache.longest + GUESSED + MORE)
            read = _with_guesses(rows, tokens)
            logits = _read_on(base, read, cache)


def _say(
    rows: Sequence[Reply],
    read: Sequence[list[int]],
    chosen: Sequence[list[int]],
    most: int,
    stops: set[int],
    cache: Cache,
) -> list[int]:
    """Have each reply go on, as far as guesses were right; return the last token of each.

    What was guessed rightly is kept in the cache, what follows it is written over.
    """
    right = []
    for reply, guesses, tokens in zip(rows, (each[1:] for each in read), chosen, strict=True):
        agree = takewhile(lambda pair: pair[0] == pair[1], zip(guesses, tokens, strict=False))
        right.append(sum(1 for _ in agree))
        reply.take(tokens[: right[-1] + 1], most, stops)
    cache.lengths += torch.tensor(right, device=cache.lengths.device)
    return [tokens[n] for tokens, n in zip(chosen, right, strict=True)]


def _with_guesses(rows: Sequence[Reply], tokens: Sequence[int]) -> list[list[int]]:
    """Return for each row the token to read, and guesses of what follows where rows are few."""
    n = min(GUESSED, TOGETHER // len(rows) - 1)
    guesses = [reply.guess(n) if n > 0 and not reply.has_ended else [] for reply in rows]
    if not any(guesses):
        return [[token] for token in tokens]
    pairs = zip(tokens, guesses, strict=True)
    return [[token, *(guess or [token] * n)] for token, guess in pairs]


def _is_full(cache: Cache) -> bool:
    return cache.longest + GUESSED >= cache.room


def _read(base: Base, prompts: Sequence[Sequence[int]]) -> tuple[Cache, torch.Tensor]:
    """Read prompts, each once; return the cache, and the logits (B, 1, V) of what follows."""
    apart = {prompt: number for number, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    lengths = torch.tensor([len(prompt) for prompt in apart], device=base.device)
    cache = Cache(lengths, max(map(len, apart)))
    reading = Prompts([*apart], cache)
    logits = _logits(base, reading, reading.last)
    rows = [apart[tuple(prompt)] for prompt in prompts]
    return cache.rows(rows, cache.room + GUESSED + MORE), logits[rows][:, None]


def _read_on(base: Base, tokens: Sequence[list[int]], cache: Cache) -> torch.Tensor:
    """Read tokens of every row, the first being sure; return the logits (B, Q, V) after each."""
    given = torch.tensor(tokens, device=base.device)  # (B, Q)
    logits = _logits(base, Next(given, cache), slice(None))
    cache.lengths += 1
    return logits.view(*given.shape, -1)


def _logits(base: Base, reading: Pass, rows: torch.Tensor | slice) -> torch.Tensor:
    with base.on_stage(reading):
        hidden = base.hidden(reading)[rows]
    return hidden @ base.head_weight.t()


def _batches(prompts: Sequence[Sequence[int]], most: int, most_tokens: int) -> Iterator[list[int]]:
    """Yield places of prompts of about one length, as many together as there is room for."""
    batch: list[int] = []
    for place in sorted(range(len(prompts)), key=lambda place: len(prompts[place])):
        tokens = (len(batch) + 1) * (len(prompts[place]) + most)
        if batch and (len(batch) == BATCH or tokens > most_tokens):
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
