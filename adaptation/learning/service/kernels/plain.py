"""The operations in torch: any device, any type. `fast` has the same functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import silu

from adaptation.learning.service.places import Heads, Places, Side


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """x / √(mean x² + ε) · w, over the last dimension."""
    wide = x.float()
    return weight * (wide * _inverse(wide, eps)).to(x.dtype)


def rms_norm_backward(
    dy: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float
) -> torch.Tensor:
    """Return the gradient of `x`: with n = x · i, it is i · (g − n · mean(g · n)), g = dy · w."""
    wide, g = x.float(), (dy * weight).float()
    inverse = _inverse(wide, eps)
    n = wide * inverse
    return (inverse * (g - n * (g * n).mean(-1, keepdim=True))).to(x.dtype)


def silu_mul(both: torch.Tensor) -> torch.Tensor:
    """silu(gate) · up, of (N, 2 · I) with the gate first."""
    gate, up = both.chunk(2, -1)
    return silu(gate) * up


def silu_mul_backward(dy: torch.Tensor, both: torch.Tensor) -> torch.Tensor:
    """Return the gradient of `both`."""
    gate, up = both.chunk(2, -1)
    sigmoid = torch.sigmoid(gate)
    of_gate = dy * up * sigmoid * (1 + gate * (1 - sigmoid))
    return torch.cat((of_gate, dy * gate * sigmoid), -1)


def place(qkv: torch.Tensor, heads: Heads, places: Places) -> tuple[torch.Tensor, ...]:
    """Norm and rotate queries and keys; lay them out by segment: flat (places · heads · D) each."""
    parts = turned(qkv, heads)
    return tuple(_scatter(part, side) for part, side in zip(parts, _sides(places), strict=True))


def unplace(
    gradients: Sequence[torch.Tensor], qkv: torch.Tensor, heads: Heads, places: Places
) -> torch.Tensor:
    """Return the gradient of `qkv`: `place` backwards."""
    found = []
    for gradient, side, (part, weight, angles) in zip(
        gradients, _sides(places), _parts(qkv, heads), strict=True
    ):
        d = _gather(gradient, side, part.shape[1], part.shape[2])
        if angles is not None:
            cos, sin = angles  # the same angles, turned back
            d = d * cos + _half_turned(d * sin, back=True)
        if weight is not None:
            d = rms_norm_backward(d, part, weight, heads.eps)
        found.append(d.flatten(1))
    return torch.cat(found, 1)


def turned(qkv: torch.Tensor, heads: Heads) -> tuple[torch.Tensor, ...]:
    """Norm and rotate queries and keys: those and the values, (N, heads, D) each."""
    return tuple(
        _rotated(_normed(part, weight, heads.eps), angles)
        for part, weight, angles in _parts(qkv, heads)
    )


def gather(flat: torch.Tensor, places: Places, heads: int, width: int) -> torch.Tensor:
    """From the layout by segment to rows: (N, heads · width)."""
    return _gather(flat, places.queries, heads, width).flatten(1)


def scatter(rows: torch.Tensor, places: Places, heads: int, width: int) -> torch.Tensor:
    """`gather` backwards; rows that stand for padding are 0."""
    return _scatter(rows.view(-1, heads, width), places.queries)


def softmax_(
    scores: torch.Tensor, lengths: torch.Tensor, before: torch.Tensor, scale: float, window: int
) -> None:
    """Softmax in place over the keys that a query sees, of (segments, heads, Q, K).

    Keys that stand for padding come after every query that counts.
    """
    queries, keys = (torch.arange(n, device=scores.device) for n in scores.shape[2:])
    places = before[:, None] + queries  # (segments, Q): among the keys
    back = (places[..., None] - keys)[:, None]  # (segments, 1, Q, K): how far a key lies back
    unseen = (back < 0) | (back >= window)
    wide = (scores.float() * scale).masked_fill_(unseen, float("-inf"))
    scores.copy_(wide.softmax(-1))


def softmax_backward_(
    d: torch.Tensor, p: torch.Tensor, lengths: torch.Tensor, before: torch.Tensor, scale: float
) -> None:
    """Turn the gradient of probabilities `p` into that of the scores, in place."""
    wide, found = p.float(), d.float()
    d.copy_(scale * wide * (found - (wide * found).sum(-1, keepdim=True)))


def cross_entropy_(
    logits: torch.Tensor, targets: torch.Tensor, weight: float | torch.Tensor | None
) -> torch.Tensor:
    """Return the losses in nats (rows,); `logits` become their gradient · `weight`, if given.

    A weight for each row is (rows, 1), and is taken here alone.
    """
    wide = logits.float()
    total = wide.logsumexp(-1, keepdim=True)
    losses = (total - wide.gather(1, targets[:, None])).squeeze(1)
    if weight is not None:
        p = (wide - total).exp_()
        p.scatter_add_(1, targets[:, None], p.new_full((len(targets), 1), -1.0))
        logits.copy_(p * weight)
    return losses


def _inverse(wide: torch.Tensor, eps: float) -> torch.Tensor:
    return torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)


def _parts(
    qkv: torch.Tensor, heads: Heads
) -> list[tuple[torch.Tensor, torch.Tensor | None, tuple[torch.Tensor, torch.Tensor] | None]]:
    """Return queries, keys, values (N, heads, D), each with its norm's weight and its angles."""
    by_head = qkv.view(len(qkv), -1, heads.width)
    q, k, v = torch.split(by_head, [heads.n_q, heads.n_kv, heads.n_kv], 1)
    angles = None
    if heads.cos is not None and heads.sin is not None:
        angles = heads.cos[:, None], heads.sin[:, None]  # (N, 1, D)
    return [(q, heads.q_weight, angles), (k, heads.k_weight, angles), (v, None, None)]


def _normed(part: torch.Tensor, weight: torch.Tensor | None, eps: float) -> torch.Tensor:
    return part if weight is None else rms_norm(part, weight, eps)


def _rotated(part: torch.Tensor, angles: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
    if angles is None:
        return part
    cos, sin = angles
    return part * cos + _half_turned(part) * sin


def _half_turned(x: torch.Tensor, *, back: bool = False) -> torch.Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat((second, -first) if back else (-second, first), -1)


def _sides(places: Places) -> tuple[Side, Side, Side]:
    """Return where queries, keys and values go."""
    return places.queries, places.keys, places.keys


def _scatter(part: torch.Tensor, side: Side) -> torch.Tensor:
    _, heads, width = part.shape
    flat = part.new_zeros(side.n_places * heads * width)
    for block in side.blocks:
        padded = part.new_zeros((block.n * block.size, heads, width))
        padded[block.inside] = part[block.rows]
        by_head = padded.view(block.n, block.size, heads, width).transpose(1, 2)
        block.of(flat, heads * width).view(by_head.shape).copy_(by_head)
    return flat


def _gather(flat: torch.Tensor, side: Side, heads: int, width: int) -> torch.Tensor:
    """(N, heads, width): of a row with several places their sum."""
    found = []
    for block in side.blocks:
        by_head = block.of(flat, heads * width).view(block.n, heads, block.size, width)
        found.append(by_head.transpose(1, 2).reshape(-1, heads, width)[block.inside])
    copies = torch.cat(found)[side.order]
    if not side.has_copies:
        return copies
    wide = copies.to(torch.promote_types(flat.dtype, torch.float32))
    return torch.segment_reduce(wide, "sum", lengths=side.copies, unsafe=True).to(flat.dtype)
