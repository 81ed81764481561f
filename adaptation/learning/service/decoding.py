"""Batched decoding, for judging an adapter; serving is the engine's business.

Models of known families have a way of their own (`continuing`), all others that of Transformers,
and so has a model of them whose generation config asks for what that way alone has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from adaptation.conversation import Conversation
from adaptation.errors import TrainerError
from adaptation.learning.service import adapter_io
from adaptation.learning.service.base import Base
from adaptation.learning.service.continuing import replies
from adaptation.learning.service.reply import Asked
from adaptation.learning.training.trainer import Draw, Generated

BATCH = 64
"""Prompts decoded together, of a family that is not known."""
FIRST = 32
"""Tokens after which those that go on are put together anew, then twice as many, and so on: one
reply that rambles holds up few others. What they said is read again, which costs one pass."""

SETTINGS = (
    *("no_repeat_ngram_size", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"),
    *("min_length", "min_new_tokens", "exponential_decay_length_penalty", "sequence_bias"),
    *("forced_bos_token_id", "forced_eos_token_id", "watermarking_config"),
)
"""Of a generation config, what Transformers alone goes by: where set, its way is taken."""


def generate(
    base: Base,
    prompts: Sequence[Conversation],
    adapter: str | None,
    max_new_tokens: int,
    cancelled: threading.Event,
    on_batch: Callable[[int, int], None],
    draw: Draw | None = None,
) -> Generated:
    """The likeliest continuation of every prompt, or one by a draw, under `adapter` or the bare
    base.
    """
    under = adapter_io.read(base, adapter) if adapter is not None else None
    started = time.perf_counter()
    with base.under(under), torch.no_grad():
        rows = _replies(base, prompts, max_new_tokens, cancelled, on_batch, draw)
    seconds = time.perf_counter() - started
    texts = base.chat.tokenizer.batch_decode(rows, skip_special_tokens=True)
    return Generated(
        texts=tuple(map(str, texts)),
        whole=tuple(len(row) < max_new_tokens for row in rows),  # no end is among the tokens
        tokens=sum(map(len, rows)),
        seconds=seconds,
    )


def _replies(
    base: Base,
    prompts: Sequence[Conversation],
    max_new_tokens: int,
    cancelled: threading.Event,
    on_batch: Callable[[int, int], None],
    draw: Draw | None,
) -> list[list[int]]:
    """Return the tokens of every reply, up to what ends it."""
    given = [base.chat.encode(prompt) for prompt in prompts]
    penalty = float(base.model.generation_config.repetition_penalty or 1.0)
    asked = Asked(given, max_new_tokens, stops(base), draw, cancelled, penalty)
    said: list[list[int]] = [[] for _ in prompts]
    replying = replies if base.is_known and not _has_settings(base) else _foreign_replies
    for ended, (place, reply) in enumerate(replying(base, asked), 1):
        said[place] = reply
        on_batch(ended, len(prompts))
    return said


def _foreign_replies(base: Base, asked: Asked) -> Iterator[tuple[int, list[int]]]:
    """What `replies` does, by Transformers' own way of decoding: a draw is that of the batch."""
    prompts, draw = asked.prompts, asked.draw
    if draw is not None:
        torch.manual_seed(draw.seed + (draw.first << 32))
    said: list[list[int]] = [[] for _ in prompts]
    going, done = list(range(len(prompts))), 0
    while going:
        more = min(2 * done or FIRST, asked.most - done)
        going.sort(key=lambda place: len(prompts[place]))  # little padding
        left: list[int] = []
        for start in range(0, len(going), BATCH):
            if asked.cancelled.is_set():
                raise TrainerError("the job was cancelled")
            batch = going[start : start + BATCH]
            rows = [[*prompts[place], *said[place]] for place in batch]
            for place, tokens in zip(batch, _decode(base, rows, more, asked), strict=True):
                said[place] += tokens
                if len(tokens) < more or done + more == asked.most:
                    yield place, said[place]
                else:
                    left.append(place)
        going, done = left, done + more


def _decode(base: Base, rows: Sequence[list[int]], most: int, asked: Asked) -> list[list[int]]:
    """Return of every row the tokens that follow, at most so many: fewer where that is the end."""
    stops, draw = asked.stops, asked.draw
    tokenizer = base.chat.tokenizer
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else min(stops, default=0)
    longest = max(map(len, rows))
    ids = [[pad_id] * (longest - len(row)) + row for row in rows]  # (B, T), padded on the left
    seen = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    output = base.model.generate(
        input_ids=torch.tensor(ids, device=base.device),
        attention_mask=torch.tensor(seen, device=base.device),
        max_new_tokens=most,
        do_sample=draw is not None,
        temperature=None if draw is None else draw.temperature,
        top_p=None,
        top_k=None,
        pad_token_id=pad_id,
        eos_token_id=sorted(stops) or None,
    )
    return [_until_stop(row[longest:].tolist(), stops) for row in output]


def _has_settings(base: Base) -> bool:
    """Whether the model's generation config asks for more than `choosing` knows of."""
    return any(getattr(base.model.generation_config, name, None) for name in SETTINGS)


def stops(base: Base) -> set[int]:
    """Tokens that end a turn: the tokenizer's, and those of the model's generation config."""
    listed = base.model.generation_config.eos_token_id
    more = listed if isinstance(listed, list) else [listed]
    return {token for token in (*more, base.chat.tokenizer.eos_token_id) if token is not None}


def _until_stop(token_ids: list[int], stops: set[int]) -> list[int]:
    ends = (i for i, token in enumerate(token_ids) if token in stops)
    return token_ids[: next(ends, len(token_ids))]
