"""Replies are those of each prompt alone, whoever is decoded beside it, however long that is."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from adaptation.errors import TrainerError
from adaptation.learning.service import choosing, continuing, decoding
from adaptation.learning.service.base import Base
from adaptation.learning.service.choosing import Choice
from adaptation.learning.service.places import Heads
from adaptation.learning.service.reading import Cache, Next
from adaptation.learning.service.reply import Asked, Reply
from adaptation.learning.training.trainer import Draw, Generated
from tests.adaptation.learning.models import KNOWN, VOCABULARY, example, model_of, randomised

PROMPTS: list[Any] = [example(seed, 5 + seed).token_ids for seed in range(9)]
MOST = 40


def base_that_stops_at(stop: int | None, family: str, **settings: Any) -> Base:
    """A random model whose conversations are tokens, and whose text is their numbers."""
    tokenizer = SimpleNamespace(
        pad_token_id=0,
        eos_token_id=stop,
        batch_decode=lambda rows, **_: [" ".join(map(str, row)) for row in rows],
    )
    chat: Any = SimpleNamespace(encode=list, tokenizer=tokenizer)
    return Base(endless(family, **settings), chat, family)


def endless(family: str, **settings: Any) -> Any:
    """A random model that ends at no token of its own accord, with settings for generation."""
    model = model_of(family)
    model.generation_config.update(eos_token_id=None, **settings)
    return model


def replies(base: Base, prompts: Sequence[Any], told: list[int], **options: Any) -> Generated:
    def on_batch(done: int, total: int) -> None:
        assert total == len(prompts)
        told.append(done)

    return decoding.generate(base, prompts, None, MOST, threading.Event(), on_batch, **options)


def numbers(found: Generated) -> list[list[int]]:
    return [[int(token) for token in text.split()] for text in found.texts]


def alone(family: str, **settings: Any) -> list[list[int]]:
    """What each prompt is followed by, without an end."""
    model, found = endless(family, **settings), []
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


@pytest.mark.parametrize("family", [*KNOWN, "gpt_neox", "bloom"])
def test_each_gets_the_reply_it_gets_alone(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BATCH", 4)
    monkeypatch.setattr(decoding, "FIRST", 3)
    monkeypatch.setattr(continuing, "BATCH", 4)
    monkeypatch.setattr(continuing, "MORE", 3)
    whole = alone(family)
    places = Counter(token for row in whole for token in set(row))
    stop = next(token for token, n in places.most_common() if n < len(PROMPTS))
    ended = [row[: row.index(stop)] if stop in row else row for row in whole]
    told: list[int] = []
    found = replies(base_that_stops_at(stop, family), PROMPTS, told)
    assert numbers(found) == ended
    assert len({len(row) for row in ended}) > 1, "some end sooner than others"
    assert found.whole == tuple(stop in row for row in whole)
    assert found.tokens == sum(map(len, ended))
    assert told == sorted(told)
    assert told.count(len(PROMPTS)) == 1
    assert told[-1] == len(PROMPTS)


@pytest.mark.parametrize("family", [*KNOWN, "gpt_neox"])
@pytest.mark.parametrize(
    "settings",
    [
        {"repetition_penalty": 1.3},
        {"no_repeat_ngram_size": 2},
        {"suppress_tokens": [7, 9, 11, 14, 43, 44]},
    ],
    ids=["penalty", "ngrams", "suppressed"],
)
def test_what_a_models_generation_config_asks_for_is_done(
    family: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuing, "MORE", 3)
    base = base_that_stops_at(None, family, **settings)
    # One by one: beside others, Transformers punishes the token that pads as well.
    apart = [numbers(replies(base, [prompt], []))[0] for prompt in PROMPTS]
    assert apart == alone(family, **settings)
    assert apart != alone(family), "it makes a difference here"


def test_who_is_asked_beside_it_changes_no_reply_where_what_was_said_is_punished() -> None:
    base = base_that_stops_at(None, "qwen2", repetition_penalty=1.3)
    assert numbers(replies(base, PROMPTS, [])) == alone("qwen2", repetition_penalty=1.3)
    drawn = replies(base, PROMPTS, [], draw=Draw(seed=1)).texts
    assert drawn != replies(base_that_stops_at(None, "qwen2"), PROMPTS, [], draw=Draw(seed=1)).texts
    each = [replies(base, [prompt], [], draw=Draw(seed=1)).texts[0] for prompt in PROMPTS]
    assert list(drawn) == each


def test_a_draw_is_the_same_every_time_and_another_by_another_seed() -> None:
    base = base_that_stops_at(None, "llama")
    found = [replies(base, PROMPTS, [], draw=Draw(seed=seed)).texts for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_a_draw_is_a_replys_own_whoever_is_asked_beside_it_and_however_long_it_may_be() -> None:
    base, draw = base_that_stops_at(None, "llama"), Draw(seed=3)
    together = replies(base, [*PROMPTS, PROMPTS[0]], [], draw=draw).texts
    assert tuple(replies(base, [each], [], draw=draw).texts[0] for each in PROMPTS) == together[:-1]
    assert together[-1] != together[0], "the same question is answered anew"
    later = Draw(seed=3, first=1)
    assert replies(base, PROMPTS[:1], [], draw=later).texts == together[-1:]
    never = threading.Event()
    short = decoding.generate(base, PROMPTS, None, 7, never, lambda *_: None, draw).texts
    assert [each.split()[:7] for each in together[:-1]] == [each.split() for each in short]


def test_draws_are_as_frequent_as_the_model_finds_them_likely() -> None:
    base, most = base_that_stops_at(None, "llama"), 1
    asked = [PROMPTS[0]] * 4_000
    found = decoding.generate(
        base, asked, None, most, threading.Event(), lambda *_: None, Draw(temperature=0.5)
    )
    logits = base.model(input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1]
    likely = (logits / 0.5).softmax(-1)
    drawn = Counter(map(int, found.texts))
    shares = torch.tensor([drawn[token] / len(asked) for token in range(len(likely))])
    assert (shares - likely).abs().sum() < 0.15


def test_what_the_model_finds_impossible_is_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = SimpleNamespace(random=lambda: 1 - 2**-53)  # 1 in float32
    monkeypatch.setattr(choosing, "_drawing", lambda draw, prompts: [largest])
    choice = Choice(Asked([(1,)], 1, set(), Draw(), threading.Event()))
    logits = torch.tensor([[[0.1, 0.3, 0.2, -float("inf")]]])
    assert choice.of(logits, [Reply(0, (1,))], [[0]]) == [[2]]


def test_a_cache_that_moves_keeps_what_was_read_and_is_not_held_twice() -> None:
    old = Cache(torch.tensor([3, 2]), 4)
    keys, _ = old.layer(Heads(1, 1, 2, 1.0, 9), torch.zeros(0))
    keys.copy_(torch.arange(16).view(keys.shape))
    new, held = old.rows([1, 1], 5), weakref.ref(keys)
    moved, _ = new.layer(Heads(1, 1, 2, 1.0, 9), torch.zeros(0))
    assert torch.equal(moved[:, :, :4], keys[[1, 1]])
    assert new.lengths.tolist() == [2, 2]
    del keys
    assert held() is None


@pytest.mark.parametrize("family", KNOWN)
def test_an_adapter_decodes_as_transformers_decodes_with_it(family: str) -> None:
    base = base_that_stops_at(None, family)
    adapter = randomised(base, 4, 1)
    asked = Asked(PROMPTS, MOST, set(), None, threading.Event())
    with base.under(adapter), torch.no_grad():
        ours = dict(continuing.replies(base, asked))
        theirs = [
            base.model.generate(
                input_ids=torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
                max_new_tokens=MOST,
                do_sample=False,
                pad_token_id=0,
            )[0, len(prompt) :].tolist()
            for prompt in PROMPTS
        ]
    assert [ours[place] for place in range(len(PROMPTS))] == theirs
    bare = replies(base, PROMPTS, []).texts
    assert theirs != [[*map(int, text.split())] for text in bare]


def test_prompts_that_begin_alike_are_answered_as_each_is_alone() -> None:
    base = base_that_stops_at(None, "qwen3")
    prompts: list[Any] = [(*PROMPTS[8], *PROMPTS[n]) for n in (0, 3, 3, 1)] + [PROMPTS[8]]
    alone = [replies(base, [prompt], []).texts[0] for prompt in prompts]
    assert list(replies(base, prompts, []).texts) == alone


@pytest.mark.parametrize("family", KNOWN)
def test_as_many_are_decoded_together_as_the_cache_has_room_for(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, held = base_that_stops_at(None, family), list[tuple[int, int]]()

    def kept(base: Base, prompts: Sequence[Sequence[int]]) -> tuple[Cache, torch.Tensor]:
        cache, logits = read(base, prompts)
        numbers = sum(each.nbytes for pair in cache._layers for each in pair)
        held.append((len(prompts), numbers // (len(prompts) * cache.room)))
        return cache, logits

    read = continuing._read
    monkeypatch.setattr(continuing, "_read", kept)
    found = replies(base, PROMPTS, []).texts
    monkeypatch.setattr(continuing, "CACHE_BYTES", 2 * (len(PROMPTS[-1]) + MOST) * base.cache_bytes)
    assert replies(base, PROMPTS, []).texts == found
    assert [n for n, _ in held] == [9, 2, 2, 2, 2, 1]
    assert {of_token for _, of_token in held} == {base.cache_bytes}


@pytest.mark.parametrize("draw", [None, Draw(temperature=0.01, seed=1)])
def test_what_goes_round_in_a_circle_takes_few_passes_and_is_the_same(
    draw: Draw | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, passes = base_that_stops_at(None, "mistral"), list[int]()

    def counted(*given: Any) -> torch.Tensor:
        passes.append(1)
        return read_on(*given)

    def said() -> list[str]:
        never = threading.Event()
        rest = None, 160, never, lambda *_: None, draw
        return [decoding.generate(base, [prompt], *rest).texts[0] for prompt in PROMPTS[:3]]

    read_on = continuing._read_on
    monkeypatch.setattr(continuing, "_read_on", counted)
    found = said()
    quick = len(passes)
    monkeypatch.setattr(continuing, "GUESSED", 0)
    assert said() == found
    assert len(passes) - quick == 3 * 159
    assert quick < (0.75 if draw is None else 1.0) * (len(passes) - quick)


@pytest.mark.parametrize("family", KNOWN)
def test_guesses_right_and_wrong_change_no_draw(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, read_on, passes = base_that_stops_at(None, family), continuing._read_on, list[int]()

    def counted(*given: Any) -> torch.Tensor:
        passes.append(1)
        return read_on(*given)

    def guess(reply: Reply, n: int) -> list[int]:
        """What follows, every fifth token of it wrong."""
        follows = truth[reply.place][len(reply.said) :][:n]
        wrong = [(len(reply.said) + i) % 5 == 0 for i in range(n)]
        pairs = zip(follows, wrong, strict=False)
        guessed = [(token + is_wrong) % VOCABULARY for token, is_wrong in pairs]
        return [*guessed, *[0] * (n - len(guessed))]

    def said() -> list[list[int]]:
        passes.clear()
        texts = replies(base, PROMPTS[:3], [], draw=Draw(seed=1)).texts
        return [list(map(int, text.split())) for text in texts]

    monkeypatch.setattr(continuing, "_read_on", counted)
    monkeypatch.setattr(continuing, "MORE", 3)
    truth = said()
    assert len(passes) == MOST - 1, "what is drawn goes round in no circle"
    monkeypatch.setattr(Reply, "guess", guess)
    assert said() == truth
    assert len(passes) <= MOST / 3


def test_few_sizes_of_a_pass_are_met_while_many_replies_end_one_by_one() -> None:
    rows = [Reply(place, [1], has_ended=place % 2 == 0) for place in range(50)]
    left = continuing._left(rows)
    assert len(left) == len(set(left)) == 32, "25 go on"
    assert {place for place in range(50) if place % 2} < set(left)
    assert continuing._left(rows[:9]) == [1, 3, 5, 7], "of few nobody stays who has ended"
    cache = Cache(torch.arange(1, 5), 200)
    sizes = set()
    for _ in range(150):
        sizes.add(Next(torch.zeros(4, 1, dtype=torch.int64), cache).longest)
        cache.lengths += 1
    assert sizes == {32, 64, 96, 128, 160}


def test_the_cache_is_copied_where_it_shrinks_and_not_for_each_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes, rows = list[int](), Cache.rows

    def moved(cache: Cache, left: Sequence[int], room: int) -> Cache:
        sizes.append(len(left))
        return rows(cache, left, room)

    monkeypatch.setattr(Cache, "rows", moved)
    stops = set(range(4, VOCABULARY, 16))
    asked = Asked(PROMPTS[:1] * 32, MOST, stops, Draw(seed=1), threading.Event())
    with torch.no_grad():
        found = dict(continuing.replies(base_that_stops_at(None, "llama"), asked))
    assert len({len(said) for said in found.values()}) > 8, "they end one by one"
    assert sizes[0] == 32
    assert sizes == sorted(set(sizes), reverse=True)


def test_what_is_cancelled_ends() -> None:
    cancelled = threading.Event()
    cancelled.set()
    base = base_that_stops_at(None, "llama")
    with pytest.raises(TrainerError, match="cancelled"):
        decoding.generate(base, PROMPTS, None, MOST, cancelled, lambda *_: None)
