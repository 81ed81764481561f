"""The shipped weights: they load offline, speak, stop, do easy tasks and learn from context.

Loose bounds, on the development split: how well the model does is measured by its recipe.
"""

import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.refusal import REFUSED
from adaptation.evaluation.suites.solved import final_answer
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import WORLD_SEEDS
from adaptation.pebble import model_path
from adaptation.pebble.evaluate import Speaker, accuracy

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


def test_it_does_not_pretend_to_know_the_world(speaker: Speaker) -> None:
    for question in ("What is the capital of Paris?", "Who invented music?", "Tell me about cats."):
        assert REFUSED.search(said(speaker, question)), question


@pytest.mark.parametrize(("name", "level"), [("stories", 1), ("stories", 2), ("json_objects", 1)])
def test_it_does_easy_tasks_that_it_was_never_trained_on(
    speaker: Speaker, name: str, level: int
) -> None:
    suite = SUITES[name]
    tasks = suite.problems(16, split=Split.DEVELOPMENT, seed=0, level=level)
    assert accuracy(speaker, suite, tasks) >= 0.85


def test_it_learns_an_unseen_jargon_from_examples_and_cannot_guess_it(speaker: Speaker) -> None:
    suite, world = SUITES["jargon"], WORLD_SEEDS[Split.DEVELOPMENT][0]
    shown, tasks = (
        suite.problems(n, split=split, seed=0, level=2, world=world)
        for n, split in ((8, Split.MEMORY), (8, Split.DEVELOPMENT))
    )
    assert accuracy(speaker, suite, tasks) <= 0.5
    assert accuracy(speaker, suite, tasks, shown) >= 0.75
