"""The shipped weights: they load offline, speak, stop, and get an easy sum right."""

import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from adaptation.pebble import model_path
from adaptation.pebble.evaluate import Speaker
from adaptation.pebble.solved import final_answer

LARGEST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    model = AutoModelForCausalLM.from_pretrained(model_path(), dtype=torch.float32)
    return Speaker(model.eval(), AutoTokenizer.from_pretrained(model_path()))


def said(speaker: Speaker, text: str) -> str:
    return speaker.replies([[{"role": "user", "content": text}]])[0]


def test_the_path_costs_no_heavy_import() -> None:
    code = "import sys, adaptation.pebble as p; p.model_path(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_weights_are_small_and_in_bfloat16() -> None:
    model = AutoModelForCausalLM.from_pretrained(model_path())
    assert model.dtype == torch.bfloat16
    assert (model_path() / "model.safetensors").stat().st_size <= LARGEST_BYTES


def test_it_greets_and_stops(speaker: Speaker) -> None:
    reply = said(speaker, "Hello!")
    assert reply
    assert len(speaker.tokenizer.encode(reply)) < 40


def test_it_works_an_easy_sum_and_marks_the_answer(speaker: Speaker) -> None:
    story = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
    assert final_answer(said(speaker, story)) == "14"
    assert final_answer(said(speaker, "What is 3 + 4?")) == "7"


def test_it_says_who_it_is(speaker: Speaker) -> None:
    assert "whet-pebble" in said(speaker, "Who are you?")
