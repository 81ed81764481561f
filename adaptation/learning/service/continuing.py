"""Replies of a known family's model, several at once: each prompt is read once, what ended leaves.

A reply's draws are its own, by seed, prompt, and how many of the same prompt came before it: they
are the same whoever is decoded beside it, and the first ones the same whatever the limit.

Where few replies are under way a pass waits for the weights. What followed when a reply last said
the same is then read on trial (prompt lookup decoding; speculative sampling, arXiv 2211.17192), and
kept as far as it is what is chosen: a reply that goes round in a circle takes few passes, and is
the one it would have been.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

import torch

from adaptation.errors import TrainerError
from adaptation.learning.service.base import Base
from adaptation.learning.service.choosing import Choice
from adaptation.learning.service.reading import Cache, Next, Pass, Prompts
from adaptation.learning.service.reply import Asked, Reply

BATCH = 128
"""Replies decoded together, at most."""
PLACES = 65_536
"""Tokens that they may come to, prompts included, at most."""
CACHE_BYTES = 2**32
"""Most bytes of keys and values: fewer tokens of a large model. One reply may take more."""
MORE = 64
"""Tokens by which the room for each grows."""
GUESSED = 8
"""Tokens that are read on trial in one pass, where a reply says again what it said before."""
TOGETHER = 32
"""Tokens up to which a pass takes hardly longer than one of a single token: weights are read."""
FEW = 0.75
"""Share of a cache's rows that stay, at which the others leave it: what stays is copied."""
ROWS = 8
"""More rows stay in multiples of this, some that ended among them: see `reading.KEYS`."""


def replies(base: Base, asked: Asked) -> Iterator[tuple[int, list[int]]]:
    """Yield each prompt's place and its reply, as soon as it has ended.

    Raises `TrainerError` where it is cancelled.
    """
    choice = Choice(asked)
    for places in _batches(asked, min(PLACES, CACHE_BYTES // base.cache_bytes)):
        rows = [Reply(place, asked.prompts[place]) for place in places]  # as in the cache
        cache, logits = _read(base, [each.prompt for each in rows])
        read = [[0] for _ in rows]  # of each row a token that is sure, and guesses
        while True:
            if asked.cancelled.is_set():
                raise TrainerError("the job was cancelled")
            going = [each for each in rows if not each.has_ended]
            tokens = _say(rows, read, choice.of(logits, rows, read), asked, cache)
            yield from ((each.place, each.said) for each in going if each.has_ended)
            if all(each.has_ended for each in going):
                break
            left = _left(rows)
            if len(left) <= FEW * len(rows) or _is_full(cache):
                rows, tokens = [rows[row] for row in left], [tokens[row] for row in left]
                cache = cache.rows(left, cache.longest + GUESSED + MORE)
            read = _with_guesses(rows, tokens)
            logits = _read_on(base, read, cache)


def _left(rows: Sequence[Reply]) -> list[int]:
    """Return which rows stay: those under way, and of many some that fill them up."""
    left = [row for row, each in enumerate(rows) if not each.has_ended]
    ended = [row for row, each in enumerate(rows) if each.has_ended]
    return left + ended[: -len(left) % ROWS] if len(left) > ROWS else left


def _say(
    rows: Sequence[Reply],
    read: Sequence[list[int]],
    chosen: Sequence[list[int]],
    asked: Asked,
    cache: Cache,
) -> list[int]:
    """Have each reply go on, as far as guesses were right; return the last token of each.

    What was guessed rightly is kept in the cache, what follows it is written over.
    """
    right = []
    for reply, guesses, tokens in zip(rows, (each[1:] for each in read), chosen, strict=True):
        agree = takewhile(lambda pair: pair[0] == pair[1], zip(guesses, tokens, strict=False))
        right.append(sum(1 for _ in agree))
        reply.take(tokens[: right[-1] + 1], asked)
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


def _batches(asked: Asked, most_tokens: int) -> Iterator[list[int]]:
    """Yield places of prompts of about one length, as many together as there is room for."""
    prompts, batch = asked.prompts, list[int]()
    for place in sorted(range(len(prompts)), key=lambda place: len(prompts[place])):
        tokens = (len(batch) + 1) * (len(prompts[place]) + asked.most)
        if batch and (len(batch) == BATCH or tokens > most_tokens):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
