"""What is written is what PEFT reads, and what is read is the function that was written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from adaptation.learning.service import adapter_io
from adaptation.learning.service.asking import Ask, answer, mean
from adaptation.learning.service.base import Base
from adaptation.learning.training.adapter_files import WEIGHTS
from tests.adaptation.learning.models import FOREIGN, KNOWN, base_of, example, model_of, randomised

EXAMPLES = [example(1, 20), example(2, 33)]


def loss_of(base: Base, adapter: object) -> float:
    (losses,) = answer(base, [Ask(adapter, EXAMPLES, learns=False)], 1000)  # type: ignore[arg-type]
    return mean(losses)


@pytest.mark.parametrize("family", [*KNOWN, *FOREIGN])
def test_what_is_written_is_the_same_function_to_peft_and_to_us(
    family: str, tmp_path: Path
) -> None:
    base = base_of(family)
    adapter = randomised(base, 3, seed=5)
    adapter_io.write(adapter, base, str(tmp_path))
    theirs = PeftModel.from_pretrained(model_of(family), tmp_path).eval()
    ids = torch.tensor([EXAMPLES[0].token_ids])
    with torch.no_grad(), base.under(adapter):
        ours = base.model(input_ids=ids).logits
        assert torch.allclose(theirs(input_ids=ids).logits, ours, rtol=1e-4, atol=1e-5)
    wanted = loss_of(base, adapter)
    for rank in (1, 3, 8):  # an adapter is widened, and keeps what it does
        again = adapter_io.read(base, str(tmp_path), rank)
        assert again.rank == max(3, rank)
        assert loss_of(base, again) == pytest.approx(wanted, rel=1e-5)


def test_every_tensor_of_a_file_owns_its_storage_in_the_order_that_peft_has(
    tmp_path: Path,
) -> None:
    base = base_of("qwen3")
    adapter_io.write(randomised(base, 3, seed=5), base, str(tmp_path))
    tensors = load_file(tmp_path / WEIGHTS)
    name = "base_model.model.model.layers.1.mlp.down_proj.lora_{}.weight"
    assert tensors[name.format("A")].shape == (3, 48)
    assert tensors[name.format("B")].shape == (32, 3)
    assert len(tensors) == 2 * 2 * 7
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert all(tensor.is_contiguous() for tensor in tensors.values())


def test_a_new_adapter_changes_nothing_and_is_what_its_seed_says() -> None:
    base = base_of("llama")
    one, same, other = (adapter_io.fresh(base, 4, seed) for seed in (1, 1, 2))
    zeros = base.adapter(4)
    assert loss_of(base, one) == loss_of(base, zeros)
    assert torch.equal(one.master, same.master)
    assert not torch.equal(one.master, other.master)


def test_a_new_adapter_is_zeros_in_the_type_it_is_used_in() -> None:
    torch.full((4096,), float("nan"), dtype=torch.bfloat16)  # what freed memory may hold
    adapter = base_of("llama", torch.bfloat16).adapter(4)
    for group in range(2):
        a, bs = adapter.values(group)
        assert not a.any()
        assert not any(b.any() for b in bs)
