"""Rehearsed adaptation: the stacked LoRAs learn, the base alone receives the outer gradient."""

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3ForCausalLM

from adaptation.pebble import model_path
from adaptation.pebble.losses import rows_loss
from adaptation.pebble.recipe import Recipe, Rehearsal, Shape
from adaptation.pebble.rehearse import Lessons, StackedLora, rehearse
from adaptation.pebble.train import new_model

SMALL = Shape(hidden=32, layers=1, intermediate=32, heads=1, kv_heads=1, head_dim=32)
RECIPE = Recipe(rehearsal=Rehearsal(worlds=2, neighbours=(2, 3), questions=2, steps=4))


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(model_path())


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    return new_model(SMALL, tokenizer, seed=0)


def test_a_fresh_lora_changes_nothing(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    rows = Lessons(tokenizer.backend_tokenizer, RECIPE, "a").next().neighbours
    plain = rows_loss(model, rows)
    with StackedLora(model, worlds=2, rank=4).attached():
        assert rows_loss(model, rows).equal(plain)


def test_each_world_has_its_own_lora(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Changing the first world's LoRA leaves the second world's rows alone."""
    rows = Lessons(tokenizer.backend_tokenizer, RECIPE, "a").next().neighbours
    lora = StackedLora(model, worlds=2, rank=4)
    half = rows.ids.shape[0] // 2
    with torch.no_grad(), lora.attached():
        before = model(rows.ids).logits
        for weight in lora.weights:
            weight[0] += 0.1
        after = model(rows.ids).logits
    assert not after[:half].equal(before[:half])
    assert after[half:].equal(before[half:])


def test_rehearsal_leaves_a_gradient_on_the_base_and_its_weights_as_they_were(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    before = [weight.clone() for weight in model.parameters()]
    lesson = Lessons(tokenizer.backend_tokenizer, RECIPE, "a").next()
    rehearse(model, lesson, rank=4).backward()
    for old, weight in zip(before, model.parameters(), strict=True):
        assert old.equal(weight)
        assert weight.grad is not None
    assert not any(module._forward_hooks for module in model.modules())
