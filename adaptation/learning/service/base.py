"""The frozen base model, resident in memory, and one pass of it over many adapters' rows.

Owns the base's weights; knows nothing of steps, jobs or the process it runs in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.blocks import Stage, is_known, prepare
from adaptation.learning.service.capture import CudaRecorder
from adaptation.learning.service.foreign import Segments
from adaptation.learning.service.graphs import Graphs
from adaptation.learning.service.head import losses_of
from adaptation.learning.service.kernels import choose
from adaptation.learning.service.packing import Packed, Part
from adaptation.learning.training.chat import Chat, Template
from adaptation.learning.training.sequences import TrainingExample

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from adaptation.learning.service.reading import Pass
    from adaptation.learning.service.static_pass import StaticPass


FILLED = 16
"""Rows that an adapter has of a pass in bf16 on a CPU come to multiples of this: for each number of
rows that it has not met oneDNN compiles its products anew, which takes a small model as long as
they do."""


class Base:
    """A base model that adapters are trained around."""

    def __init__(self, model: PreTrainedModel, chat: Chat, path: str) -> None:
        self.chat = chat
        self.path = path
        self.model: Any = model.eval().requires_grad_(False)
        self.n_parameters = sum(p.numel() for p in model.parameters())
        self.device: torch.device = model.device
        self.dtype: torch.dtype = model.dtype
        self.stage = Stage(choose(self.device, self.dtype))
        self.groups = prepare(model, self.stage)
        self.shapes = [group.shape for group in self.groups]
        self._segments = Segments(self.stage)
        self.is_known = is_known(model)
        self.graphs: Graphs | None = None
        """Captured passes, on a device that takes longer to be told than to compute."""
        if self.is_known and self.device.type == "cuda":
            self.graphs = Graphs(self, CudaRecorder(self.device))
        self.packs = True
        self.packs = self.is_known or self._can_pack()
        """Whether examples can share a pass; of a model that mixes them each has its own."""

    @classmethod
    def load(cls, path: str, template: Template, device: str) -> Base:
        """Read the model at `path` onto `device` (`auto`: CUDA where there is one)."""
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if multiplies_bf16(torch.device(device)) else torch.float32
        model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype).to(device)
        return cls(model, Chat(AutoTokenizer.from_pretrained(path), template), path)

    def adapter(self, rank: int) -> Adapter:
        """Return an adapter of zeros."""
        moved = [group.make_room(rank) for group in self.groups]
        if any(moved) and self.graphs is not None:
            self.graphs.forget()  # they read the base where it was, and would keep it there
        return Adapter(self.shapes, rank, self.dtype, self.device)

    def learn(self, parts: Sequence[Part]) -> list[tuple[torch.Tensor, ...]]:
        """Return the losses of every part's examples, each (targets,) in nats; add to gradients."""
        if self.graphs is None:
            return self.learn_once(parts)
        return self.graphs.learn(parts)

    def learn_once(self, parts: Sequence[Part]) -> list[tuple[torch.Tensor, ...]]:
        """What `learn` does, without a graph."""
        packed = self._packed(parts)
        with self.on_stage(packed):
            losses = self._learn(packed) if self.is_known else self._learn_any(packed)
        for part in parts:
            part.adapter.collect()
        return _by_part(losses, packed, parts)

    @torch.no_grad()
    def look(self, parts: Sequence[Part]) -> list[tuple[torch.Tensor, ...]]:
        """Return the losses alone."""
        packed = self._packed(parts)
        with self.on_stage(packed):
            if self.is_known:
                losses, _ = self._head(packed, self.hidden(packed), learns=False)
            else:
                losses = self._logits_losses(packed)
        return _by_part(losses, packed, parts)

    @contextmanager
    def under(self, adapter: Adapter | None) -> Iterator[None]:
        """The model as it decodes under an adapter, or the bare base."""
        self.stage.adapter = adapter
        try:
            yield
        finally:
            self.stage.adapter = None

    @property
    def device_bytes(self) -> int | None:
        """What this process holds of the device's own memory; None on a CPU."""
        return torch.cuda.memory_allocated(self.device) if self.device.type == "cuda" else None

    def free_memory(self) -> None:
        """Hold nothing on the device that could be had again."""
        if self.graphs is not None:
            self.graphs.forget()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @property
    def head_weight(self) -> torch.Tensor:
        """(V, d), of a known family"""
        found: torch.Tensor = self.model.lm_head.weight
        return found

    @property
    def cache_bytes(self) -> int:
        """Keys and values of one token, of a known family."""
        qkv = (shape.outs for shape in self.shapes if shape.names[0].endswith("q_proj"))
        return sum(n for outs in qkv for n in outs[1:]) * self.dtype.itemsize

    @contextmanager
    def on_stage(self, packed: Packed | StaticPass | Pass) -> Iterator[None]:
        """Have the model work on a pass for the length of the block."""
        attention = self._segments.used_by(self.model) if self.packs else nullcontext()
        with self.stage.set(packed), attention:
            yield

    def hidden(self, packed: Packed | StaticPass | Pass) -> torch.Tensor:
        """(N, d), after the last norm of a known family."""
        output = self.model.model(
            input_ids=packed.token_ids, position_ids=packed.positions, use_cache=False
        )
        found: torch.Tensor = output.last_hidden_state[0]
        return found

    def _packed(self, parts: Sequence[Part]) -> Packed:
        is_compiled = self.device.type == "cpu" and self.dtype == torch.bfloat16
        return Packed(parts, self.device, FILLED if is_compiled and self.packs else 1)

    def _learn(self, packed: Packed) -> torch.Tensor:
        hidden = self.hidden(packed)
        losses, gradient = self._head(packed, hidden.detach(), learns=True)
        torch.autograd.backward(hidden, gradient)
        return losses

    def _head(
        self, packed: Packed, hidden: torch.Tensor, *, learns: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return losses_of(packed, hidden, self.head_weight, self.stage.kernels, learns=learns)

    def _learn_any(self, packed: Packed) -> torch.Tensor:
        losses = self._logits_losses(packed)
        weights = [
            losses.new_full((s.last_target - s.first_target,), s.weight) for s in packed.shares
        ]
        torch.autograd.backward(losses, torch.cat(weights))
        return losses.detach()

    def _logits_losses(self, packed: Packed) -> torch.Tensor:
        places = {"position_ids": packed.positions} if self.packs else {}
        output = self.model(
            input_ids=packed.token_ids,
            use_cache=False,
            logits_to_keep=packed.predicting,
            **places,
        )
        return cross_entropy(output.logits[0].float(), packed.targets, reduction="none")

    def _can_pack(self) -> bool:
        """Try: beside another an example costs what it does alone, not what it does after it."""
        ids = tuple(range(4, 24))
        one, other = (TrainingExample(ids[::way], (True,) * len(ids)) for way in (1, -1))
        after = TrainingExample((*other.token_ids, *ids), (False,) * 21 + (True,) * 19)
        part = Part(self.adapter(1), [one])
        try:
            alone, beside, joined = (
                self.look([replace(part, examples=examples)])[0][-1]
                for examples in ([one], [other, one], [after])
            )
        except (ValueError, TypeError):
            return False
        return bool((alone - beside).norm() < 0.1 * (alone - joined).norm())


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the hardware does: four times as fast as float32 on a CPU that has it."""
    return device.type == "cuda" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def _by_part(
    losses: torch.Tensor, packed: Packed, parts: Sequence[Part]
) -> list[tuple[torch.Tensor, ...]]:
    each = iter(torch.split(losses, packed.of_examples))
    return [tuple(next(each) for _ in part.examples) for part in parts]
