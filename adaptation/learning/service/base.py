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
from adaptation.learning.service.foreign import Segments
from adaptation.learning.service.kernels import choose
from adaptation.learning.service.packing import Packed, Part
from adaptation.training.chat import Chat, Template
from adaptation.training.sequences import TrainingExample

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HEAD_ROWS = 512
"""Targets whose logits are held at once."""


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
        self._shapes = [group.shape for group in self.groups]
        self._segments = Segments(self.stage)
        self._is_known = is_known(model)
        self.packs = True
        self.packs = self._is_known or self._can_pack()
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
        for group in self.groups:
            group.make_room(rank)
        return Adapter(self._shapes, rank, self.dtype, self.device)

    def learn(self, parts: Sequence[Part]) -> list[tuple[torch.Tensor, ...]]:
        """Return the losses of every part's examples, each (targets,) in nats; add to gradients."""
        packed = Packed(parts, self.device)
        with self._on_stage(packed):
            losses = self._learn(packed) if self._is_known else self._learn_any(packed)
        for part in parts:
            part.adapter.collect()
        return _by_part(losses, packed, parts)

    @torch.no_grad()
    def look(self, parts: Sequence[Part]) -> list[tuple[torch.Tensor, ...]]:
        """Return the losses alone."""
        packed = Packed(parts, self.device)
        with self._on_stage(packed):
            if self._is_known:
                losses, _ = self._head(packed, self._hidden(packed), learns=False)
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

    @contextmanager
    def _on_stage(self, packed: Packed) -> Iterator[None]:
        attention = self._segments.used_by(self.model) if self.packs else nullcontext()
        with self.stage.set(packed), attention:
            yield

    def _learn(self, packed: Packed) -> torch.Tensor:
        hidden = self._hidden(packed)
        losses, gradient = self._head(packed, hidden.detach(), learns=True)
        torch.autograd.backward(hidden, gradient)
        return losses

    def _hidden(self, packed: Packed) -> torch.Tensor:
        """(N, d), after the last norm."""
        output = self.model.model(
            input_ids=packed.token_ids, position_ids=packed.positions, use_cache=False
        )
        found: torch.Tensor = output.last_hidden_state[0]
        return found

    def _head(
        self, packed: Packed, hidden: torch.Tensor, *, learns: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses (M,) and, where it `learns`, the gradient of `hidden`."""
        weight = self.model.lm_head.weight  # (V, d)
        losses, gradient = hidden.new_empty(len(packed.targets), dtype=torch.float32), hidden
        if learns:
            gradient = torch.zeros_like(hidden)
        for share in packed.shares:
            for first in range(share.first_target, share.last_target, HEAD_ROWS):
                some = slice(first, min(first + HEAD_ROWS, share.last_target))
                rows = packed.predicting[some]
                logits = hidden[rows] @ weight.t()
                losses[some] = self.stage.kernels.cross_entropy_(
                    logits, packed.targets[some], share.weight if learns else None
                )
                if learns:
                    gradient[rows] = logits @ weight
        return losses, gradient

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
