"""Adapters on a CPU: an adapter's rows in two products, and nothing for rows without one.

vLLM 0.32 copies a whole adapter for every row (`lora.ops.torch_ops.lora_ops`), also for rows that
have none: what it adds to those is that of the last slot, an empty one where `reserve_slots` has
its way. Here the rows of each adapter are taken together, and others are left as they are.

Its products are of the model's type and the widest rank. A product of bfloat16 as small as an
adapter's takes five times as long as one of float32, most of it in being set up (torch 2.13): so
`Matrices` keeps each adapter in float32, cut to its own rank, with all slices of a layer as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from vllm.lora.layers import LoRAMapping
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

Rows: TypeAlias = "slice | torch.Tensor"
Groups: TypeAlias = "list[tuple[int, Rows]]"
"""Each slot that is used, and the rows that use it."""
Stacked: TypeAlias = "tuple[torch.Tensor, ...]"
"""Matrices of a layer: for each slice of its outputs those of all slots."""


class Factors(NamedTuple):
    """What an adapter adds to a layer is x·Aᵀ·Bᵀ; in float32, of rank r over all slices."""

    a: torch.Tensor
    """(r, d)"""
    b: torch.Tensor
    """(outs, r), zero where a row of A belongs to another slice."""


class Matrices:
    """The factors of each layer and slot; made again once vLLM has written to the layer's slots."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[tuple[int, ...], dict[int, Factors]]] = {}

    def of(self, slot: int, a_stacked: Stacked, b_stacked: Stacked) -> Factors:
        """Return a slot's factors; a slice's A is (slots, 1, r, d), its B (slots, 1, o, r)."""
        if a_stacked[0].is_inference():  # whether such a tensor was written to cannot be seen
            return _factors(slot, a_stacked, b_stacked)
        written = tuple(each._version for each in (*a_stacked, *b_stacked))
        seen, factors = self._made.get(a_stacked[0].data_ptr(), ((), {}))
        if seen != written:
            factors = {}
            self._made[a_stacked[0].data_ptr()] = written, factors
        if slot not in factors:
            factors[slot] = _factors(slot, a_stacked, b_stacked)
        return factors[slot]


class GroupedLora(PunicaWrapperCPU):  # type: ignore[misc]
    """What layers ask to add their adapters' part; T rows, adapters of rank r."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._of_tokens: Groups = []
        self._of_samples: Groups = []
        self._matrices = Matrices()

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
        self._add(self._of_tokens, y, x, lora_a_stacked, lora_b_stacked, scale)

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
        within = y[:, : lora_b_stacked.shape[2]]
        self._add(self._of_samples, within, x, (lora_a_stacked,), (lora_b_stacked,), scale)

    def _add(
        self,
        groups: Groups,
        y: torch.Tensor,
        x: torch.Tensor,
        a_stacked: Stacked,
        b_stacked: Stacked,
        scale: float,
    ) -> None:
        """Add to `y` (n, outs), rounded once."""
        for slot, rows in groups:
            a, b = self._matrices.of(slot, a_stacked, b_stacked)
            added = x[rows].float() @ a.t() @ b[: y.shape[1]].t()
            if isinstance(rows, slice):
                y[rows].add_(added, alpha=scale)
            else:
                y.index_add_(0, rows, added.to(y.dtype), alpha=scale)


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


def _factors(slot: int, a_stacked: Stacked, b_stacked: Stacked) -> Factors:
    """Return what lies in a slot, without the rows that fill it up to the widest rank."""
    rows, blocks = [], []
    for a, b in zip(a_stacked, b_stacked, strict=True):
        used = (a[slot, 0] != 0).any(dim=1)  # what is no number is used as well
        rows.append(a[slot, 0][used].float())
        blocks.append(b[slot, 0][:, used].float())
    diagonal: torch.Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return Factors(torch.cat(rows), diagonal)
