"""Replies are those of each prompt alone, whoever is decoded beside it, however long that is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from adaptation.errors import TrainerError
from adaptation.learning.service import decoding
from adaptation.learning.service.base import Base
from adaptation.learning.training.trainer import Draw, Generated
from tests.adaptation.learning.models import example, model_of

PROMPTS: list[Any] = [example(seed, 5 + seed).token_ids for seed in range(9)]
MOST = 40


def base_that_stops_at(stop: int | None, family: str) -> Base:
    """A random model whose conversations are tokens, and whose text is their numbers."""
    tokenizer = SimpleNamespace(
        pad_token_id=0,
        eos_token_id=stop,
        batch_decode=lambda rows, **_: [" ".join(map(str, row)) for row in rows],
    )
    chat: Any = SimpleNamespace(encode=list, tokenizer=tokenizer)
    return Base(endless(family), chat, family)


def endless(family: str) -> Any:
    """A random model that ends at no token of its own accord."""
    model = model_of(family)
    model.generation_config.eos_token_id = None
    return model


def replies(base: Base, prompts: Sequence[Any], told: list[int], **options: Any) -> Generated:
    def on_batch(done: int, total: int) -> None:
        assert total == len(prompts)
        told.append(done)

    return decoding.generate(base, prompts, None, MOST, threading.Event(), on_batch, **options)


def alone(family: str) -> list[list[int]]:
    """What each prompt is followed by, without an end."""
    model, found = endless(family), []
    for prompt in PROMPTS:
        ids = torch.tensor([prompt])
        said = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=MOST,
            do_sample=False,
            pad_token_id=0,
        )
        found.append(said[0, len(prompt) :].tolist())
    return found


@pytest.mark.parametrize("family", ["llama", "mistral", "gpt_neox", "bloom"])
def test_each_gets_the_reply_it_gets_alone(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BATCH", 4)
    monkeypatch.setattr(decoding, "FIRST", 3)
    whole = alone(family)
    places = Counter(token for row in whole for token in set(row))
    stop = next(token for token, n in places.most_common() if n < len(PROMPTS))
    ended = [row[: row.index(stop)] if stop in row else row for row in whole]
    told: list[int] = []
    found = replies(base_that_stops_at(stop, family), PROMPTS, told)
    assert [list(map(int, text.split())) for text in found.texts] == ended
    assert len({len(row) for row in ended}) > 1, "some end sooner than others"
    assert found.tokens == sum(map(len, ended))
    assert told == sorted(told)
    assert told.count(len(PROMPTS)) == 1
    assert told[-1] == len(PROMPTS)


def test_a_draw_is_the_same_every_time_and_another_by_another_seed() -> None:
    base = base_that_stops_at(None, "llama")
    found = [replies(base, PROMPTS, [], draw=Draw(seed=seed)).texts for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_what_is_cancelled_ends() -> None:
    cancelled = threading.Event()
    cancelled.set()
    base = base_that_stops_at(None, "llama")
    with pytest.raises(TrainerError, match="cancelled"):
        decoding.generate(base, PROMPTS, None, MOST, cancelled, lambda *_: None)
