"""Adapters on a CPU: an adapter's rows in one product, and nothing for rows without one.

vLLM 0.32 copies a whole adapter for every row (`lora.ops.torch_ops.lora_ops`), also for rows that
have none: what it adds to those is that of the last slot, an empty one where `reserve_slots` has
its way. Here the rows of each adapter are taken together, and others are left as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from vllm.lora.layers import LoRAMapping
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

Rows: TypeAlias = "slice | torch.Tensor"
Groups: TypeAlias = "list[tuple[int, Rows]]"
"""Each slot that is used, and the rows that use it."""


class GroupedLora(PunicaWrapperCPU):  # type: ignore[misc]
    """What layers ask to add their adapters' part; T rows, adapters of rank r."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._of_tokens: Groups = []
        self._of_samples: Groups = []

    def update_metadata(
        self,
        mapping: LoRAMapping,
        lora_index_to_id: list[int | None],
        max_loras: int,
        vocab_size: int,
        **kwargs: Any,
    ) -> None:
        """Take in which rows of the next batches have which adapter."""
        super().update_metadata(mapping, lora_index_to_id, max_loras, vocab_size, **kwargs)
        slots = {lora: slot for slot, lora in enumerate(lora_index_to_id) if lora is not None}
        self._of_tokens = _grouped(mapping.index_mapping, slots)
        self._of_samples = _grouped(mapping.prompt_mapping, slots)

    def add_lora_linear(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: tuple[torch.Tensor, ...],
        lora_b_stacked: tuple[torch.Tensor, ...],
        scale: float,
        output_slices: tuple[int, ...],
        *,
        buffer: tuple[torch.Tensor, ...] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add x·Aᵀ·Bᵀ of every row's adapter to `y` (T, outs), for each slice of the outputs.

        `x` is (T, d); a slice's A is (slots, 1, r, d), its B (slots, 1, o, r).
        """
        for slot, rows in self._of_tokens:
            taken, first = x[rows], 0
            for a, b, width in zip(lora_a_stacked, lora_b_stacked, output_slices, strict=True):
                y[rows, first : first + width] += _product(taken, a, b, slot, scale, y.dtype)
                first += width

    def add_lora_embedding(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_b_stacked: torch.Tensor,
        add_inputs: bool = True,
        **kwargs: Any,
    ) -> None:
        """Add x·Bᵀ to `y` (T, d); `x` (T, r) is what the adapters look up for the tokens."""
        if not add_inputs:
            y.zero_()
        for slot, rows in self._of_tokens:
            y[rows] += x[rows].to(y.dtype) @ lora_b_stacked[slot, 0].to(y.dtype).t()

    def add_lora_logits(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: torch.Tensor,
        lora_b_stacked: torch.Tensor,
        scale: float,
        *,
        buffer: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        """Add x·Aᵀ·Bᵀ to the logits `y` (samples, vocabulary)."""
        width = min(y.shape[1], lora_b_stacked.shape[2])
        for slot, rows in self._of_samples:
            added = _product(x[rows], lora_a_stacked, lora_b_stacked, slot, scale, y.dtype)
            y[rows, :width] += added[:, :width]


def _grouped(loras: Sequence[int], slots: Mapping[int, int]) -> Groups:
    """Return the rows of each slot; `loras` has each row's adapter, 0 for none."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, lora in enumerate(loras):
        if lora > 0:
            places[slots[lora]].append(place)
    return [(slot, _rows(found)) for slot, found in places.items()]


def _rows(places: list[int]) -> Rows:
    first, last = places[0], places[-1]
    if last - first + 1 == len(places):
        return slice(first, last + 1)
    return torch.tensor(places)


def _product(
    x: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    slot: int,
    scale: float,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Rounded where vLLM rounds: first in the type of the adapter, then in that of the output."""
    low = (x.to(a.dtype) @ a[slot, 0].t()) * scale
    return low.to(dtype) @ b[slot, 0].to(dtype).t()
