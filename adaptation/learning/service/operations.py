"""The operations with gradients written by hand: nothing is cast twice, nothing unneeded kept.

Each is a `torch.autograd.Function` around the functions of `kernels`.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from adaptation.learning.service.places import Bucket, Heads, Places

KEPT_SCORES = 512**2
"""Most scores of a segment's head that are kept for the gradient; more are computed again."""


def applied(function: type[torch.autograd.Function], *arguments: Any) -> torch.Tensor:
    """Return what a function makes of tensors; autograd remembers it."""
    found: torch.Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    return found


class RmsNorm(torch.autograd.Function):
    """(N, d) → (N, d)"""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float, kernels: ModuleType
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.eps, ctx.kernels = eps, kernels
        found: torch.Tensor = kernels.rms_norm(x, weight, eps)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        return ctx.kernels.rms_norm_backward(dy, *ctx.saved_tensors, ctx.eps), None, None, None


class SiluMul(torch.autograd.Function):
    """(N, 2 · I) → (N, I)"""

    @staticmethod
    def forward(ctx: Any, both: torch.Tensor, kernels: ModuleType) -> torch.Tensor:
        ctx.save_for_backward(both)
        ctx.kernels = kernels
        found: torch.Tensor = kernels.silu_mul(both)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.kernels.silu_mul_backward(dy, *ctx.saved_tensors), None


class SegmentAttention(torch.autograd.Function):
    """Causal attention within segments: (N, (n_q + 2 · n_kv) · D) → (N, n_q · D)."""

    @staticmethod
    def forward(
        ctx: Any, qkv: torch.Tensor, heads: Heads, places: Places, kernels: ModuleType
    ) -> torch.Tensor:
        q, k, v = kernels.place(qkv, heads, places)
        o, kept = torch.empty_like(q), []
        for bucket in places.buckets:
            p = _probabilities(bucket, q, k, heads, kernels)
            torch.bmm(p, _keys(bucket, v, heads), out=_queries(bucket, o, heads))
            is_small = bucket.queries.size * bucket.keys.size <= KEPT_SCORES
            kept.append(p if is_small else None)
        ctx.save_for_backward(qkv, q, k, v)
        ctx.kept, ctx.rest = kept, (heads, places, kernels)
        found: torch.Tensor = kernels.gather(o, places, heads.n_q, heads.width)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        heads, places, kernels = ctx.rest
        qkv, q, k, v = ctx.saved_tensors
        do = kernels.scatter(dy, places, heads.n_q, heads.width)
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        for bucket, p in zip(places.buckets, ctx.kept, strict=True):
            if p is None:
                p = _probabilities(bucket, q, k, heads, kernels)
            d_out = _queries(bucket, do, heads)
            d = torch.bmm(d_out, _keys(bucket, v, heads).mT)
            torch.bmm(p.mT, d_out, out=_keys(bucket, dv, heads))
            given = (_scores(bucket, d, heads), _scores(bucket, p, heads))
            kernels.softmax_backward_(*given, bucket.lengths, bucket.before, heads.scale)
            torch.bmm(d, _keys(bucket, k, heads), out=_queries(bucket, dq, heads))
            torch.bmm(d.mT, _queries(bucket, q, heads), out=_keys(bucket, dk, heads))
        return kernels.unplace((dq, dk, dv), qkv, heads, places), None, None, None


def _probabilities(
    bucket: Bucket, q: torch.Tensor, k: torch.Tensor, heads: Heads, kernels: ModuleType
) -> torch.Tensor:
    """(n · n_kv, G · Q, K), G queries' heads sharing a head of keys."""
    p = torch.bmm(_queries(bucket, q, heads), _keys(bucket, k, heads).mT)
    scores = _scores(bucket, p, heads)
    kernels.softmax_(scores, bucket.lengths, bucket.before, heads.scale, heads.window)
    return p


def _scores(bucket: Bucket, of_groups: torch.Tensor, heads: Heads) -> torch.Tensor:
    return of_groups.view(bucket.queries.n, heads.n_q, bucket.queries.size, bucket.keys.size)


def _queries(bucket: Bucket, flat: torch.Tensor, heads: Heads) -> torch.Tensor:
    rows = heads.n_q // heads.n_kv * bucket.queries.size
    return bucket.queries.of(flat, heads.n_q * heads.width).view(-1, rows, heads.width)


def _keys(bucket: Bucket, flat: torch.Tensor, heads: Heads) -> torch.Tensor:
    return bucket.keys.of(flat, heads.n_kv * heads.width).view(-1, bucket.keys.size, heads.width)
