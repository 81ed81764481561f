"""Puts adapters into a model of Transformers: what each module does while a pass is on stage.

Blocks of known families are fused. Of any other model each linear layer is taken for itself, and
attention where it asks Transformers for its function. Without a pass every module does what it did.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.functional import linear

from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.grid import Chosen, Spread
from adaptation.learning.service.group import Group, Grouped
from adaptation.learning.service.operations import RmsNorm, SegmentAttention, SiluMul, applied
from adaptation.learning.service.packing import Packed, Share
from adaptation.learning.service.places import Heads
from adaptation.learning.service.reading import Pass
from adaptation.learning.service.slots import Stacked

if TYPE_CHECKING:
    from adaptation.learning.service.static_pass import StaticPass

FAMILIES = ("Llama", "Mistral", "Qwen2", "Qwen3")
"""Families whose attention, MLP, RMSNorm and head are written alike."""
EVERYTHING = 2**30
"""A window that ends nowhere."""
Forward = Callable[..., Any]


@dataclass
class Stage:
    """What the modules are working on."""

    kernels: ModuleType
    anchor: torch.Tensor = field(default_factory=lambda: torch.zeros((), requires_grad=True))
    """Makes autograd call for the gradients of adapters where the input needs none."""
    packed: Packed | StaticPass | Pass | None = None
    adapter: Adapter | None = None
    """Adapter of the whole model, where a pass does not say whose rows are whose: it decodes."""

    @contextmanager
    def set(self, packed: Packed | StaticPass | Pass) -> Iterator[None]:
        """Work on a pass for the length of the block."""
        self.packed = packed
        try:
            yield
        finally:
            self.packed = None

    def project(self, x: torch.Tensor, group: Group) -> torch.Tensor:
        """(…, d) → (rows, outs), everybody's rows under their own adapter."""
        assert self.packed is not None
        rows = x.reshape(-1, x.shape[-1])
        if isinstance(self.packed, Packed):
            return applied(Grouped, rows, self.anchor, group, _shares(self.packed, len(rows)))
        if isinstance(self.packed, Pass):
            return group.product(rows, self.adapter)
        return applied(Stacked, rows, self.anchor, group, self.packed.slots)

    def attend(self, qkv: torch.Tensor, heads: Heads) -> torch.Tensor:
        """(N, (n_q + 2 · n_kv) · D) → (N, n_q · D), within each example."""
        assert self.packed is not None
        if isinstance(self.packed, Pass):
            return self.packed.attend(qkv, heads)
        rest = (heads, self.packed.places, self.kernels)
        if isinstance(self.packed, Packed):
            return applied(SegmentAttention, qkv, *rest)
        grid = self.packed.grid
        return applied(Chosen, applied(SegmentAttention, applied(Spread, qkv, grid), *rest), grid)

    def angles(self, of_rows: torch.Tensor) -> torch.Tensor:
        """(N, D) → what attention rotates by."""
        assert self.packed is not None
        if isinstance(self.packed, Packed | Pass):
            return of_rows
        return self.packed.grid.spread(of_rows)


def _shares(packed: Packed, rows: int) -> Sequence[Share]:
    """Return who has which rows; a module that is given others than all has one owner's."""
    if rows == packed.n_rows:
        return packed.shares
    if len(packed.shares) > 1:
        raise ValueError("a layer of this model sees other rows than the tokens of a batch")
    return [replace(packed.shares[0], start=0, end=rows)]


def is_known(model: nn.Module) -> bool:
    """Whether the blocks of `model` are those of a family in the list."""
    return type(model).__name__ in [f"{family}ForCausalLM" for family in FAMILIES]


def prepare(model: nn.Module, stage: Stage) -> list[Group]:
    """Have every module ask `stage` what to do; return the adapted layers: all but the head."""
    groups: list[Group] = []

    def group(name: str, *parts: str) -> Group:
        names = [f"{name}.{part}" if part else name for part in parts]
        layers: list[Any] = [model.get_submodule(each) for each in names]
        groups.append(Group(len(groups), names, layers))
        for i, layer in enumerate(layers):
            layer.forward = functools.partial(_linear, layer, groups[-1], i, stage)
        return groups[-1]

    if is_known(model):
        _fuse(model, group, stage)
    taken = {name for each in groups for name in each.shape.names}
    head = model.get_output_embeddings()  # type: ignore[operator]
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and module is not head and name not in taken:
            group(name, "")
    return groups


def _fuse(model: nn.Module, group: Callable[..., Group], stage: Stage) -> None:
    for name, module in model.named_modules():
        kind, usual = type(module).__name__, module.forward
        if kind.endswith("RMSNorm"):
            module.forward = functools.partial(_norm, module, usual, stage)
        elif kind.endswith("Attention"):
            both = group(name, "q_proj", "k_proj", "v_proj"), group(name, "o_proj")
            module.forward = functools.partial(_attention, module, usual, *both, stage)
        elif kind.endswith("MLP") and type(module.act_fn).__name__.startswith("SiLU"):
            both = group(name, "gate_proj", "up_proj"), group(name, "down_proj")
            module.forward = functools.partial(_mlp, usual, *both, stage)


def _linear(layer: nn.Linear, group: Group, i: int, stage: Stage, x: torch.Tensor) -> torch.Tensor:
    if stage.packed is not None:
        return stage.project(x, group).view(*x.shape[:-1], -1)
    y: torch.Tensor = linear(x, layer.weight, layer.bias)
    if stage.adapter is None:
        return y
    a, bs = stage.adapter.values(group.index)
    own_a = torch.split(a, stage.adapter.rank)[i]  # (r, d)
    return y + x @ own_a.t() @ bs[i]


def _norm(module: Any, usual: Forward, stage: Stage, x: torch.Tensor) -> torch.Tensor:
    if stage.packed is None:
        found: torch.Tensor = usual(x)
    else:
        found = applied(RmsNorm, x, module.weight, module.variance_epsilon, stage.kernels)
    return found


def _mlp(usual: Forward, both: Group, down: Group, stage: Stage, x: torch.Tensor) -> torch.Tensor:
    if stage.packed is None:
        found: torch.Tensor = usual(x)
        return found
    inner = applied(SiluMul, stage.project(x, both), stage.kernels)
    return stage.project(inner, down).view_as(x)


def _attention(
    module: Any,
    usual: Forward,
    qkv: Group,
    out: Group,
    stage: Stage,
    hidden_states: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    **rest: Any,
) -> Any:
    if stage.packed is None:
        return usual(hidden_states, position_embeddings, **rest)
    angles = [stage.angles(each[0]) for each in position_embeddings]
    heads = _heads(module, qkv.shape.outs, *angles)
    x = stage.attend(stage.project(hidden_states, qkv), heads)
    return stage.project(x, out).view_as(hidden_states), None


def _heads(module: Any, outs: Sequence[int], cos: torch.Tensor, sin: torch.Tensor) -> Heads:
    width, norms = module.head_dim, (getattr(module, f"{x}_norm", None) for x in "qk")
    q_norm, k_norm = norms
    return Heads(
        n_q=outs[0] // width,
        n_kv=outs[1] // width,
        width=width,
        scale=module.scaling,
        window=_window(module),
        cos=cos,
        sin=sin,
        q_weight=q_norm.weight if q_norm is not None else None,
        k_weight=k_norm.weight if k_norm is not None else None,
        eps=q_norm.variance_epsilon if q_norm is not None else 0.0,
        layer=module.layer_idx,
    )


def _window(module: Any) -> int:
    """Return how many keys a layer's queries see; Mistral has it for all layers alike."""
    if hasattr(module, "sliding_window"):
        found = module.sliding_window
    else:
        is_mistral = type(module).__name__.startswith("Mistral")
        found = module.config.sliding_window if is_mistral else None
    return EVERYTHING if found is None else int(found)
