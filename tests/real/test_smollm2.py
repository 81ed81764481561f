"""The model that `whet models get smollm2` brings: whole, itself, and able to speak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from server.models.catalogue import SMOLLM2

pytestmark = pytest.mark.real
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TOKENS = {
    "Hello world! 123": [19556, 905, 17, 216, 33, 34, 35],
    "Café déjà vu.": [51, 1939, 2756, 32564, 90, 16739, 386, 101, 30],
    "  multiple   spaces": [216, 2701, 256, 5600],
    "a\n\n12": [81, 1116, 33, 34],
}


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder)


def test_it_is_as_large_as_the_catalogue_says_and_brings_its_licence(folder: Path) -> None:
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert size == pytest.approx(SMOLLM2.model_bytes, rel=0.01)
    assert "Apache License" in (folder / "LICENSE").read_text()


def test_it_reads_text_as_it_was_trained_to(tokenizer: Any) -> None:
    assert tokenizer.chat_template == TEMPLATE
    assert [tokenizer(token).input_ids for token in ("<|im_start|>", "<|im_end|>")] == [[1], [2]]
    for text, tokens in TOKENS.items():
        assert tokenizer(text).input_ids == tokens
        assert tokenizer.decode(tokens) == text


def test_it_speaks(folder: Path, tokenizer: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(
        asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    drawn = model.generate(**prompt, do_sample=False, max_new_tokens=20)
    said = tokenizer.decode(drawn[0][prompt.input_ids.shape[1] :])
    assert said == "The capital of France is Paris.<|im_end|>"
