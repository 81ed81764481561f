"""The operations of `plain` for bf16 on a CPU, each in one pass over memory.

Sums are kept in float32. What is rounded in between elsewhere is not rounded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from adaptation.learning.service.kernels import loops
from adaptation.learning.service.places import Heads, Places

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
    loops.rms_norm_backward(
        _rows(dy.contiguous()), _rows(x.contiguous()), _bits(weight), np.float32(eps), _rows(dx)
    )
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
    for n, weight, turned in _parts(heads):
        flat = qkv.new_zeros(places.rows * n * heads.width)
        given = (*_angles(heads, turned), _weight(weight), np.float32(heads.eps))
        loops.place(_bits(qkv), first, n, heads.width, *given, _of_tokens(places), _bits(flat))
        found.append(flat)
        first += n
    return tuple(found)


def unplace(
    gradients: Sequence[torch.Tensor], qkv: torch.Tensor, heads: Heads, places: Places
) -> torch.Tensor:
    """See `plain`."""
    d, first = torch.empty_like(qkv), 0
    for gradient, (n, weight, turned) in zip(gradients, _parts(heads), strict=True):
        given = (*_angles(heads, turned), _weight(weight), np.float32(heads.eps))
        where = (_of_tokens(places), _bits(qkv), _bits(d))
        loops.unplace(_bits(gradient), first, n, heads.width, *given, *where)
        first += n
    return d


def gather(flat: torch.Tensor, places: Places, heads: int, width: int) -> torch.Tensor:
    """See `plain`."""
    rows = flat.new_empty((places.tokens, heads * width))
    loops.gather(_bits(flat), heads, width, _of_tokens(places), _bits(rows))
    return rows


def scatter(rows: torch.Tensor, places: Places, heads: int, width: int) -> torch.Tensor:
    """See `plain`."""
    flat = rows.new_zeros(places.rows * heads * width)
    loops.scatter(_bits(rows.contiguous()), heads, width, _of_tokens(places), _bits(flat))
    return flat


def softmax_(scores: torch.Tensor, lengths: torch.Tensor, scale: float, window: int) -> None:
    """See `plain`."""
    loops.softmax(_bits(scores), lengths.numpy(), np.float32(scale), window)


def softmax_backward_(
    d: torch.Tensor, p: torch.Tensor, lengths: torch.Tensor, scale: float
) -> None:
    """See `plain`."""
    loops.softmax_backward(_bits(d), _bits(p), lengths.numpy(), np.float32(scale))


def cross_entropy_(
    logits: torch.Tensor, targets: torch.Tensor, weight: float | None
) -> torch.Tensor:
    """See `plain`."""
    losses = torch.empty(len(targets))
    given = np.float32(0.0 if weight is None else weight)
    loops.cross_entropy(_bits(logits), targets.numpy(), given, weight is not None, losses.numpy())
    return losses


def _parts(heads: Heads) -> list[tuple[int, torch.Tensor | None, bool]]:
    """Return queries, keys, values: their heads, the weight of their norm, whether they turn."""
    turned = heads.cos is not None
    return [
        (heads.n_q, heads.q_weight, turned),
        (heads.n_kv, heads.k_weight, turned),
        (heads.n_kv, None, False),
    ]


def _angles(heads: Heads, turned: bool) -> tuple[Any, Any]:
    if not turned or heads.cos is None or heads.sin is None:
        return _NOTHING.reshape(0, 0), _NOTHING.reshape(0, 0)
    return _bits(heads.cos), _bits(heads.sin)


def _weight(weight: torch.Tensor | None) -> Any:
    return _NOTHING if weight is None else _bits(weight)


def _of_tokens(places: Places) -> Any:
    return places.of_tokens.numpy()


def _rows(x: torch.Tensor) -> Any:
    return _bits(x.view(-1, x.shape[-1]))


def _bits(x: torch.Tensor) -> Any:
    return x.detach().view(torch.uint16).numpy()
