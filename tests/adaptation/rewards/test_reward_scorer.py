"""What a reward model is shown, and what becomes of its numbers."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from adaptation.rewards.encoding import Reader
from adaptation.rewards.folder import check_folder
from adaptation.rewards.scorer import Scorer, _batches, chosen
from tests.adaptation.rewards.conftest import CONTEXT, make_chat_model, make_pair_tokenizer
from tests.adaptation.training.conftest import make_tokenizer

TURNS = [{"role": "user", "content": "What is 12 + 30?"}]
REPLIES = ["42", "It is 42, as 12 + 30 = 42.", "No.", "the answer is lamp " * 9, "lamp"]


def soon() -> float:
    return time.monotonic() + 60


def expected(folder: Path, reply: str) -> Any:
    """The logits that transformers itself finds for a rendered chat."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    said = [*TURNS, {"role": "assistant", "content": reply}]
    ids = tokenizer(tokenizer.apply_chat_template(said, tokenize=False), return_tensors="pt")
    with torch.inference_mode():
        return model(input_ids=ids["input_ids"]).logits[0]


def test_one_number_is_taken_for_the_logarithm_of_odds(chat_model: Path) -> None:
    (score,) = Scorer(chat_model).scores([(TURNS, REPLIES[:1])], soon())
    assert score == pytest.approx(expected(chat_model, "42").sigmoid().item(), abs=1e-6)
    assert 0 < score < 1


def test_of_several_labels_the_last_is_the_positive_one(tmp_path: Path) -> None:
    folder = make_chat_model(tmp_path, num_labels=3)
    (score,) = Scorer(folder).scores([(TURNS, REPLIES[:1])], soon())
    assert score == pytest.approx(expected(folder, "42").softmax(-1)[-1].item(), abs=1e-6)


@pytest.mark.parametrize("kind", ["chat_model", "pair_model"])
def test_a_batch_scores_as_one_at_a_time(kind: str, request: pytest.FixtureRequest) -> None:
    scorer = Scorer(request.getfixturevalue(kind))
    other = [{"role": "user", "content": "a?"}]
    together = scorer.scores([(TURNS, REPLIES), (other, ["b", "a"])], soon())
    alone = [scorer.scores([(TURNS, [reply])], soon())[0] for reply in REPLIES]
    alone += [scorer.scores([(other, [reply])], soon())[0] for reply in ("b", "a")]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len({round(score, 4) for score in alone}) > 4, "they are told apart"


def test_a_model_without_a_padding_token_reads_one_at_a_time(
    tmp_path: Path, chat_model: Path
) -> None:
    make_chat_model(tmp_path, pad_token_id=None)
    assert json.loads((tmp_path / "config.json").read_text()).get("pad_token_id") is None
    found = Scorer(tmp_path).scores([(TURNS, REPLIES)], soon())
    assert found == pytest.approx(
        [expected(tmp_path, reply).sigmoid().item() for reply in REPLIES], abs=1e-5
    )


def test_batches_hold_what_is_alike_in_length_and_every_text_once() -> None:
    lengths = [3000, 5, 2000, 5, 2500, 9000]
    batches = list(_batches(lengths, together=True))
    assert batches == [[1, 3], [2], [4], [0], [5]]
    assert list(_batches([2000, 2000, 96], together=True)) == [[2, 0], [1]]
    assert list(_batches([5, 5], together=False)) == [[0], [1]]
    assert list(_batches([], together=True)) == []


def test_scores_that_are_late_are_not_waited_for(chat_model: Path) -> None:
    with pytest.raises(TimeoutError):
        Scorer(chat_model).scores([(TURNS, ["42"])], time.monotonic() - 1)


def test_weights_that_are_missing_are_no_reward_model(chat_model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(chat_model / "model.safetensors")
    del tensors["score.weight"]
    for file in chat_model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"no weights for score\.weight"):
        Scorer(tmp_path)


@pytest.mark.parametrize("length", [5, 40, 58, 59, 60, 61, 62, 500])
def test_what_is_too_long_loses_the_beginning_of_the_conversation(length: int) -> None:
    tokenizer = make_pair_tokenizer()
    reader = Reader(tokenizer, CONTEXT)
    turns = [{"role": "user", "content": "a" * 50 + "j" * 30 + "?"}]
    read = reader.read(turns, "b" * length + "0")
    text = "".join(tokenizer.convert_ids_to_tokens(read.ids))
    assert len(read.ids) == len(read.kinds) <= CONTEXT
    assert text.startswith("[CLS]")
    assert text.endswith("0[SEP]")
    kept = min(length, CONTEXT - 4)
    assert text.count("b") == kept, "the reply is whole, where the context holds it"
    if room := max(0, CONTEXT - 3 - length - 1):
        assert text.startswith("[CLS]" + ("a" * 50 + "j" * 30 + "?")[-room:] + "[SEP]b")


def test_a_long_chat_keeps_its_first_mark_and_its_end() -> None:
    tokenizer = make_tokenizer()
    tokenizer.bos_token = "<|pad|>"
    tokenizer.chat_template = "<|pad|>" + tokenizer.chat_template
    turns = [{"role": "user", "content": "lamp " * 100_000}]
    read = Reader(tokenizer, 32).read(turns, "the answer is 42")
    text = tokenizer.decode(read.ids)
    assert len(read.ids) == 32
    assert text.startswith("<|pad|>")
    assert text.endswith("assistant\nthe answer is 42<|im_end|>\n")


def test_a_conversation_that_the_template_does_not_take_is_read_as_a_pair() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "lamp?"}]
    read = Reader(tokenizer, 64).read(turns, "42")
    assert tokenizer.decode(read.ids) == "Be kind.\n\nlamp?42"


def test_a_folder_of_another_kind_is_refused_in_one_line(chat_model: Path, tmp_path: Path) -> None:
    check_folder(chat_model)
    config = tmp_path / "config.json"
    cases: list[tuple[str | None, str]] = [
        (None, "config.json cannot be read: No such file"),
        ("{", "it is no JSON object"),
        ("[]", "it is no JSON object"),
        ('{"architectures": null}', "names nothing; give the folder"),
        ('{"architectures": ["Qwen3ForCausalLM"]}', "names Qwen3ForCausalLM; give the folder"),
        ('{"architectures": ["Qwen3ForSequenceClassification"]}', "it holds no weights"),
    ]
    for written, words in cases:
        if written is not None:
            config.write_text(written)
        with pytest.raises(ValueError, match=words) as refused:
            check_folder(tmp_path)
        assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match="no such folder"):
        check_folder(tmp_path / "none")


def test_numbers_that_are_none_stay_none(nan_model: Path) -> None:
    (score,) = Scorer(nan_model).scores([(TURNS, ["42"])], soon())
    assert math.isnan(score)


def test_it_scores_on_the_device_that_is_asked_for(
    chat_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    (score,) = Scorer(chat_model, "cpu").scores([(TURNS, REPLIES[:1])], soon())
    assert score == pytest.approx(expected(chat_model, "42").sigmoid().item(), abs=1e-6)
    names = ("auto", "cpu", "cuda", "cuda:1")
    assert [str(chosen(name)) for name in names] == ["cuda", "cpu", "cuda", "cuda:1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(chosen("auto")) == "cpu"
