"""The operations of `plain` for bf16 on a CPU, each in one pass over memory.

Sums are kept in float32. What is rounded in between elsewhere is not rounded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from adaptation.learning.service.kernels import loops
from adaptation.learning.service.places import Heads, Places, Side

_NOTHING = np.empty(0, np.uint16)


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """See `plain`."""
    x, y = x.contiguous(), torch.empty(x.shape, dtype=x.dtype)
    loops.rms_norm(_rows(x), _bits(weight), np.float32(eps), _rows(y))
    return y


def rms_norm_backward(
    dy: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float
) -> torch.Tensor:
    """See `plain`."""
    dx = torch.empty(x.shape, dtype=x.dtype)
    given = _rows(x.contiguous()), _bits(weight), np.float32(eps)
    loops.rms_norm_backward(_rows(dy.contiguous()), *given, _rows(dx))
    return dx


def silu_mul(both: torch.Tensor) -> torch.Tensor:
    """See `plain`."""
    y = both.new_empty((len(both), both.shape[1] // 2))
    loops.silu_mul(_bits(both), _bits(y))
    return y


def silu_mul_backward(dy: torch.Tensor, both: torch.Tensor) -> torch.Tensor:
    """See `plain`."""
    found = torch.empty_like(both)
    loops.silu_mul_backward(_bits(dy.contiguous()), _bits(both), _bits(found))
    return found


def place(qkv: torch.Tensor, heads: Heads, places: Places) -> tuple[torch.Tensor, ...]:
    """See `plain`."""
    found, first = [], 0
    for n, side, weight, turned in _parts(heads, places):
        flat = qkv.new_zeros(side.n_places * n * heads.width)
        given = (*_angles(heads, turned), _weight(weight), np.float32(heads.eps))
        _placing(loops.place, side, n, heads.width, _bits(qkv), first, *given, _bits(flat))
        found.append(flat)
        first += n
    return tuple(found)


def unplace(
    gradients: Sequence[torch.Tensor], qkv: torch.Tensor, heads: Heads, places: Places
) -> torch.Tensor:
    """See `plain`."""
    d, first = torch.empty_like(qkv), 0
    for gradient, (n, side, weight, turned) in zip(gradients, _parts(heads, places), strict=True):
        given = (*_angles(heads, turned), _weight(weight), np.float32(heads.eps))
        rest = (*given, _bits(qkv), _bits(d))
        _placing(loops.unplace, side, n, heads.width, _bits(gradient), first, *rest)
        first += n
    return d


def gather(flat: torch.Tensor, places: Places, heads: int, width: int) -> torch.Tensor:
    """See `plain`."""
    rows = flat.new_empty((places.queries.n_rows, heads * width))
    _placing(loops.gather, places.queries, heads, width, _bits(flat), _bits(rows))
    return rows


def scatter(rows: torch.Tensor, places: Places, heads: int, width: int) -> torch.Tensor:
    """See `plain`."""
    flat = rows.new_zeros(places.queries.n_places * heads * width)
    _placing(loops.scatter, places.queries, heads, width, _bits(rows.contiguous()), _bits(flat))
    return flat


def softmax_(
    scores: torch.Tensor, lengths: torch.Tensor, before: torch.Tensor, scale: float, window: int
) -> None:
    """See `plain`."""
    given = (*scores.shape[1:3], lengths.numpy(), before.numpy(), np.float32(scale))
    loops.softmax(_rows(scores), *given, window)


def softmax_backward_(
    d: torch.Tensor, p: torch.Tensor, lengths: torch.Tensor, before: torch.Tensor, scale: float
) -> None:
    """See `plain`."""
    given = (*d.shape[1:3], lengths.numpy(), before.numpy(), np.float32(scale))
    loops.softmax_backward(_rows(d), _rows(p), *given)


def cross_entropy_(
    logits: torch.Tensor, targets: torch.Tensor, weight: float | None
) -> torch.Tensor:
    """See `plain`."""
    losses = torch.empty(len(targets))
    given = np.float32(0.0 if weight is None else weight)
    rest = (targets.numpy(), given, weight is not None, losses.numpy())
    loops.cross_entropy(_bits(logits), *rest)
    return losses


def _placing(loop: Any, side: Side, heads: int, width: int, *rest: Any) -> None:
    given = (side.starts.numpy(), side.at.numpy(), heads, width)
    loop(*given, *rest)


def _parts(heads: Heads, places: Places) -> list[tuple[int, Side, torch.Tensor | None, bool]]:
    """Return of queries, keys, values: heads, where they go, their norm's weight, if they turn."""
    turned = heads.cos is not None
    return [
        (heads.n_q, places.queries, heads.q_weight, turned),
        (heads.n_kv, places.keys, heads.k_weight, turned),
        (heads.n_kv, places.keys, None, False),
    ]


def _angles(heads: Heads, turned: bool) -> tuple[Any, Any]:
    if not turned or heads.cos is None or heads.sin is None:
        return _NOTHING.reshape(0, 0), _NOTHING.reshape(0, 0)
    return _bits(heads.cos), _bits(heads.sin)


def _weight(weight: torch.Tensor | None) -> Any:
    return _NOTHING if weight is None else _bits(weight)


def _rows(x: torch.Tensor) -> Any:
    return _bits(x.view(-1, x.shape[-1]))


def _bits(x: torch.Tensor) -> Any:
    return x.detach().view(torch.uint16).numpy()
