"""Pairs and prompts as tokens, and the adapter that is written: as serving has them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from adaptation.learning.preference.base import lora, newest_state, write_adapter
from adaptation.learning.preference.examples import read_graded, read_pair
from adaptation.learning.preference.messages import PreferenceOrder
from adaptation.learning.preference.tokens import pair_rows, prompt_rows
from adaptation.learning.service.adapter_io import read
from adaptation.learning.service.base import Base
from adaptation.learning.training.chat import Chat, Template
from adaptation.pebble import model_path
from memory.versions.adapter_files import check_files
from tests.adaptation.preference.lines import graded, preference


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(model_path())


def test_an_answer_ends_with_its_turn_and_the_prompt_is_the_servers(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    chat, line = Chat(tokenizer), preference("2 + 2?", "4", "It is 5.")
    (row,) = pair_rows(chat, [read_pair(line)], 100)
    asked = tokenizer.apply_chat_template(
        line["input"]["messages"], add_generation_prompt=True, tokenize=True, return_dict=False
    )
    assert row["prompt_ids"] == asked
    assert tokenizer.decode(row["chosen_ids"]) == "4<|im_end|>"
    assert tokenizer.decode(row["rejected_ids"]) == "It is 5.<|im_end|>"
    (prompt,) = prompt_rows(chat, [read_graded(graded("2 + 2?"))], 100)
    assert tokenizer(prompt["prompt"], add_special_tokens=False)["input_ids"] == asked


def test_what_is_too_long_is_refused_by_its_number_and_never_cut(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    pairs = [read_pair(preference("2?", "4 " * n, "5")) for n in (1, 200, 1, *[300] * 6)]
    with pytest.raises(ValueError, match=r"example 2: it has \d+ tokens, more than 100.*2 more"):
        pair_rows(Chat(tokenizer), pairs, 100)
    with pytest.raises(ValueError, match=r"example 1: .*more than 3"):
        prompt_rows(Chat(tokenizer), [read_graded(graded("2 + 2?"))], 3)


def test_the_adapter_is_one_that_our_registry_and_trainer_take(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(model_path(), dtype=torch.float32)
    adapted = get_peft_model(model, lora(4))
    torch.manual_seed(0)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    order = PreferenceOrder(model=str(model_path()), folder=tmp_path, rank=4, pairs=())
    write_adapter(adapted, order, tmp_path / "adapters" / "1")
    assert [path.name for path in (tmp_path / "adapters").iterdir()] == ["1"]
    check_files(tmp_path / "adapters" / "1", rank=4)
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        theirs = adapted(ids).logits
    base = Base.load(str(model_path()), Template(), "cpu")
    base.model.float()
    base.dtype = torch.float32
    with torch.no_grad():
        bare = base.model(ids).logits
        with base.under(read(base, str(tmp_path / "adapters" / "1"))):
            ours = base.model(ids).logits
    assert (ours - bare).abs().max() > 1
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_a_state_that_was_not_written_to_its_end_is_not_gone_on_from(tmp_path: Path) -> None:
    for step, is_whole in ((2, True), (10, True), (12, False)):
        folder = tmp_path / "states" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        if is_whole:
            (folder / "trainer_state.json").touch()
    assert newest_state(tmp_path) == str(tmp_path / "states" / "checkpoint-10")
    assert newest_state(tmp_path / "states") is None
