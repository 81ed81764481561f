"""Adapters on a CPU: each row has its own adapter's part, and rows without one are let alone."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch

with warnings.catch_warnings():  # of vLLM's own imports
    warnings.simplefilter("ignore")
    from vllm.lora.layers import LoRAMapping
    from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

    from server.engine.cpu_lora import GroupedLora, Matrices

WIDE, RANK, SLOTS = 48, 8, 4
SLICES = (24, 16)
LOADED = [7, 9, None, None]
"""The adapters in the slots."""
MIXES = {
    "the base": (0, 0, 0),
    "one adapter": (9, 9, 9, 9),
    "turns": (0, 7, 0, 9, 7, 0, 9, 9),
    "blocks": (7, 7, 0, 0, 9),
}


def wrapper(kind: type[PunicaWrapperCPU], mix: tuple[int, ...], is_prefill: bool = False) -> Any:
    made = kind(256, 64, "cpu")
    mapping = LoRAMapping(mix, mix, is_prefill=is_prefill)
    made.update_metadata(mapping, LOADED, SLOTS, 1_000)
    return made


def weights(*shape: int) -> torch.Tensor:
    found = torch.randn(SLOTS, 1, *shape, generator=torch.Generator().manual_seed(sum(shape)))
    found[LOADED.index(None) :] = 0  # slots that nothing was loaded into
    return found


def rows(count: int, width: int = WIDE) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize("is_prefill", [False, True])
@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_every_slice_of_every_row_is_what_vllm_finds(
    mix: tuple[int, ...], is_prefill: bool
) -> None:
    x = rows(len(mix))
    a = tuple(weights(RANK, WIDE) for _ in SLICES)
    b = tuple(weights(out, RANK) for out in SLICES)
    theirs, ours = (torch.ones(len(mix), sum(SLICES)) for _ in range(2))
    wrapper(PunicaWrapperCPU, mix, is_prefill).add_lora_linear(theirs, x, a, b, 1.0, SLICES)
    wrapper(GroupedLora, mix, is_prefill).add_lora_linear(ours, x, a, b, 1.0, SLICES)
    torch.testing.assert_close(ours, theirs)
    changed = (ours != 1).any(dim=1).tolist()
    assert changed == [lora > 0 for lora in mix]


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_the_logits_of_every_sample_are_what_vllm_finds(mix: tuple[int, ...]) -> None:
    x, a, b = rows(len(mix)), weights(RANK, WIDE), weights(60, RANK)
    theirs, ours = (torch.ones(len(mix), 64) for _ in range(2))  # padded behind the vocabulary
    wrapper(PunicaWrapperCPU, mix).add_lora_logits(theirs, x, a, b, 1.0)
    wrapper(GroupedLora, mix).add_lora_logits(ours, x, a, b, 1.0)
    torch.testing.assert_close(ours, theirs)
    assert (ours[:, 60:] == 1).all()
    fewer = torch.ones(len(mix), 50)
    wrapper(GroupedLora, mix).add_lora_logits(fewer, x, a, b, 1.0)
    torch.testing.assert_close(fewer, theirs[:, :50])


@pytest.mark.parametrize("add_inputs", [True, False])
def test_embeddings_are_what_vllm_finds(add_inputs: bool) -> None:
    mix = MIXES["turns"]
    x, b = rows(len(mix), RANK), weights(WIDE, RANK)
    theirs, ours = (torch.ones(len(mix), WIDE) for _ in range(2))
    wrapper(PunicaWrapperCPU, mix).add_lora_embedding(theirs, x, b, add_inputs)
    wrapper(GroupedLora, mix).add_lora_embedding(ours, x, b, add_inputs)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_what_lies_in_other_slots_reaches_no_row(mix: tuple[int, ...]) -> None:
    """Of vLLM's own products the last slot reaches rows without an adapter: that is why
    `reserve_slots` leaves it empty.
    """
    a, b = weights(RANK, WIDE), weights(WIDE, RANK)
    for slot, lora in enumerate(LOADED):
        if lora not in mix:
            a[slot] = b[slot] = math.nan
    y = torch.ones(len(mix), WIDE)
    wrapper(GroupedLora, mix).add_lora_linear(y, rows(len(mix)), (a,), (b,), 1.0, (WIDE,))
    assert torch.isfinite(y).all()


def test_products_are_of_the_models_own_type() -> None:
    mix = MIXES["turns"]
    x, a, b = (each.bfloat16() for each in (rows(len(mix)), weights(RANK, WIDE), weights(60, RANK)))
    theirs, ours = (torch.ones(len(mix), 60).bfloat16() for _ in range(2))
    wrapper(PunicaWrapperCPU, mix).add_lora_linear(theirs, x, (a,), (b,), 1.0, (60,))
    wrapper(GroupedLora, mix).add_lora_linear(ours, x, (a,), (b,), 1.0, (60,))
    assert (ours - theirs).norm() < 0.02 * (theirs - 1).norm()


def added(made: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    y = torch.zeros(1, WIDE)
    made.add_lora_linear(y, rows(1), (a,), (b,), 1.0, (WIDE,))
    return y


@pytest.mark.parametrize("is_inference", [False, True])
def test_what_is_written_to_a_slot_later_is_seen(is_inference: bool) -> None:
    """vLLM writes an adapter that is loaded again, under its old id, where the old one lay."""
    made = wrapper(GroupedLora, (9,))
    with torch.inference_mode(is_inference):
        a, b = weights(RANK, WIDE), weights(WIDE, RANK)
    with torch.inference_mode():  # as vLLM writes
        before = added(made, a, b)
        b[LOADED.index(9)] *= 2
        torch.testing.assert_close(added(made, a, b), 2 * before)
        a[LOADED.index(9)] = math.nan
        assert added(made, a, b).isnan().all()  # no worse than what vLLM finds
        a[LOADED.index(9)] = 0
        assert (added(made, a, b) == 0).all()


def test_products_are_of_the_rank_that_is_used() -> None:
    a, b = weights(RANK, WIDE), weights(24, RANK)
    a[0, 0, 3:], b[0, 0, :, 3:] = 0, 0
    found = Matrices().of(0, (a, a), (b, b))
    assert found.a.shape == (6, WIDE)
    assert found.b.shape == (48, 6)


def test_factors_are_made_once_for_what_was_written_once() -> None:
    matrices, a, b = Matrices(), weights(RANK, WIDE), weights(24, RANK)
    first = matrices.of(0, (a,), (b,))
    assert matrices.of(0, (a,), (b,)).a is first.a
    a[1] = 0  # another slot of the layer
    assert matrices.of(0, (a,), (b,)).a is not first.a


def test_before_any_mapping_there_is_no_adapter() -> None:
    y = torch.ones(3, WIDE)
    made = GroupedLora(256, 64, "cpu")
    made.add_lora_linear(y, rows(3), (weights(RANK, WIDE),), (weights(WIDE, RANK),), 1.0, (WIDE,))
    assert (y == 1).all()
