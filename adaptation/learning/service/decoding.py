"""Batched decoding, for judging an adapter; serving is the engine's business."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import torch

from adaptation.conversation import Conversation
from adaptation.errors import TrainerError
from adaptation.learning.service import adapter_io
from adaptation.learning.service.base import Base
from adaptation.learning.training.trainer import Draw, Generated

BATCH = 64
"""Prompts decoded together."""
FIRST = 32
"""Tokens after which those that go on are put together anew, then twice as many, and so on: one
reply that rambles holds up few others. What they said is read again, which costs one pass."""


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
    if draw is not None:
        torch.manual_seed(draw.seed)
    under = adapter_io.read(base, adapter) if adapter is not None else None
    started = time.perf_counter()
    with base.under(under), torch.no_grad():
        rows = _replies(base, prompts, max_new_tokens, cancelled, on_batch, draw)
    seconds = time.perf_counter() - started
    texts = base.chat.tokenizer.batch_decode(rows, skip_special_tokens=True)
    return Generated(texts=tuple(map(str, texts)), tokens=sum(map(len, rows)), seconds=seconds)


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
    said: list[list[int]] = [[] for _ in prompts]
    going, done, ended = list(range(len(prompts))), 0, 0
    while going and done < max_new_tokens:
        most = min(2 * done or FIRST, max_new_tokens - done)
        going.sort(key=lambda place: len(given[place]))  # little padding
        left: list[int] = []
        for start in range(0, len(going), BATCH):
            if cancelled.is_set():
                raise TrainerError("the job was cancelled")
            batch = going[start : start + BATCH]
            more = _decode(base, [given[place] + said[place] for place in batch], most, draw)
            for place, (tokens, has_ended) in zip(batch, more, strict=True):
                said[place] += tokens
                left += [] if has_ended else [place]
            newly = sum(has_ended for _, has_ended in more)
            ended += newly
            if newly and ended < len(prompts):
                on_batch(ended, len(prompts))
        going, done = left, done + most
    on_batch(len(prompts), len(prompts))
    return said


def _decode(
    base: Base, rows: Sequence[list[int]], most: int, draw: Draw | None
) -> list[tuple[list[int], bool]]:
    """Return of every row the tokens that follow, at most so many, and whether that is the end."""
    tokenizer = base.chat.tokenizer
    stops = _stops(base)
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
    found = [_until_stop(row[longest:].tolist(), stops) for row in output]
    return [(tokens, len(tokens) < most) for tokens in found]


def _stops(base: Base) -> set[int]:
    """Tokens that end a turn: the tokenizer's, and those of the model's generation config."""
    listed = base.model.generation_config.eos_token_id
    more = listed if isinstance(listed, list) else [listed]
    return {token for token in (*more, base.chat.tokenizer.eos_token_id) if token is not None}


def _until_stop(token_ids: list[int], stops: set[int]) -> list[int]:
    ends = (i for i, token in enumerate(token_ids) if token in stops)
    return token_ids[: next(ends, len(token_ids))]
