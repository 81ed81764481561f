"""The loops of `fast`, which numba compiles once and keeps on disk; numbers are bf16 bits."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit

from adaptation.learning.service.kernels.bf16 import exp, f32, narrow, widen

LANES = 16
"""Numbers that a CPU works on at once; segments are padded to a multiple of it."""

compiled: Any = functools.partial(
    njit,
    cache=True,
    nogil=True,
    boundscheck=False,
    error_model="numpy",
    # Not `nnan`, `ninf`: a number that is not one must be seen.
    fastmath={"reassoc", "contract", "arcp", "nsz", "afn"},
)


@compiled(inline="always")  # type: ignore[untyped-decorator]
def _inverse(x: Any, eps: Any) -> Any:
    """1 / √(mean x² + ε)"""
    s = f32(0.0)
    for j in range(len(x)):
        s += widen(x[j]) * widen(x[j])
    return f32(1.0) / np.sqrt(s / f32(len(x)) + eps)


@compiled(inline="always")  # type: ignore[untyped-decorator]
def _norm_backward(g: Any, x: Any, eps: Any) -> None:
    """Turn the gradient of x / √(mean x² + ε) into that of x, in place."""
    inverse, t = _inverse(x, eps), f32(0.0)
    for j in range(len(x)):
        t += g[j] * widen(x[j])
    part = t * inverse * inverse / f32(len(x))
    for j in range(len(x)):
        g[j] = inverse * (g[j] - widen(x[j]) * part)


@compiled(inline="always")  # type: ignore[untyped-decorator]
def _widen(x: Any, wide: Any) -> None:
    for j in range(len(x)):
        wide[j] = widen(x[j])


@compiled(inline="always")  # type: ignore[untyped-decorator]
def _angles(cos: Any, sin: Any, i: Any, c: Any, s: Any) -> None:
    if len(cos):
        _widen(cos[i], c)
        _widen(sin[i], s)


@compiled(inline="always")  # type: ignore[untyped-decorator]
def _top(x: Any) -> Any:
    """The largest number, or one that is none: bits in an order that integers have, which vectorise
    where floats do not."""
    top = np.int16(-(2**15))
    for j in range(len(x)):
        bits = np.int16(x[j])
        top = max(top, bits ^ ((bits >> np.int16(15)) & np.int16(0x7FFF)))
    return widen(np.uint16(top ^ ((top >> np.int16(15)) & np.int16(0x7FFF))))


@compiled()  # type: ignore[untyped-decorator]
def rms_norm(x: Any, w: Any, eps: Any, y: Any) -> None:
    d = x.shape[1]
    for i in range(len(x)):
        inverse = _inverse(x[i], eps)
        for j in range(d):
            y[i, j] = narrow(widen(x[i, j]) * inverse * widen(w[j]))


@compiled()  # type: ignore[untyped-decorator]
def rms_norm_backward(dy: Any, x: Any, w: Any, eps: Any, dx: Any) -> None:
    d = x.shape[1]
    for i in range(len(x)):
        s, t = f32(0.0), f32(0.0)
        for j in range(d):
            a = widen(x[i, j])
            s += a * a
            t += widen(dy[i, j]) * widen(w[j]) * a
        inverse = f32(1.0) / np.sqrt(s / f32(d) + eps)
        part = t * inverse * inverse / f32(d)
        for j in range(d):
            g = widen(dy[i, j]) * widen(w[j])
            dx[i, j] = narrow(inverse * (g - widen(x[i, j]) * part))


@compiled()  # type: ignore[untyped-decorator]
def silu_mul(both: Any, y: Any) -> None:
    d = y.shape[1]
    for i in range(len(y)):
        for j in range(d):
            g = widen(both[i, j])
            y[i, j] = narrow(g / (f32(1.0) + exp(-g)) * widen(both[i, d + j]))


@compiled()  # type: ignore[untyped-decorator]
def silu_mul_backward(dy: Any, both: Any, found: Any) -> None:
    d = dy.shape[1]
    for i in range(len(dy)):
        for j in range(d):
            g, up, a = widen(both[i, j]), widen(both[i, d + j]), widen(dy[i, j])
            s = f32(1.0) / (f32(1.0) + exp(-g))
            found[i, j] = narrow(a * up * s * (f32(1.0) + g * (f32(1.0) - s)))
            found[i, d + j] = narrow(a * g * s)


@compiled(inline="always")  # type: ignore[untyped-decorator]
def _first(at: Any, h: Any, heads: Any, d: Any) -> Any:
    """Where a head's numbers begin; `at`: a segment's first place, its size, the place in it."""
    return at[0] * heads * d + (h * at[1] + at[2]) * d


@compiled()  # type: ignore[untyped-decorator]
def place(
    starts: Any, at: Any, heads: Any, d: Any,
    qkv: Any, first: Any, cos: Any, sin: Any, w: Any, eps: Any, flat: Any,
) -> None:  # fmt: skip
    half, c, s, gain = d // 2, np.empty(d, f32), np.empty(d, f32), np.ones(d, f32)
    given, turned, y = np.empty(d, f32), np.empty(d, f32), np.empty(d, np.uint16)
    _widen(w, gain)
    for i in range(len(qkv)):
        _angles(cos, sin, i, c, s)
        for h in range(heads):
            x = qkv[i][(first + h) * d : (first + h + 1) * d]
            if len(cos):
                inverse = _inverse(x, eps) if len(w) else f32(1.0)
                for j in range(d):
                    given[j] = widen(x[j]) * inverse * gain[j]
                for j in range(half):
                    turned[j] = given[j] * c[j] - given[half + j] * s[j]
                    turned[half + j] = given[half + j] * c[half + j] + given[j] * s[half + j]
                for j in range(d):
                    y[j] = narrow(turned[j])
            else:
                y[:] = x
            for copy in range(starts[i], starts[i + 1]):
                there = _first(at[copy], h, heads, d)
                flat[there : there + d] = y


@compiled()  # type: ignore[untyped-decorator]
def unplace(
    starts: Any, at: Any, heads: Any, d: Any,
    flat: Any, first: Any, cos: Any, sin: Any, w: Any, eps: Any, qkv: Any, found: Any,
) -> None:  # fmt: skip
    half, c, s, gain = d // 2, np.empty(d, f32), np.empty(d, f32), np.ones(d, f32)
    given, turned = np.empty(d, f32), np.empty(d, f32)
    _widen(w, gain)
    for i in range(len(qkv)):
        _angles(cos, sin, i, c, s)
        for h in range(heads):
            given[:] = 0
            for copy in range(starts[i], starts[i + 1]):
                there = _first(at[copy], h, heads, d)
                dy = flat[there : there + d]
                for j in range(d):
                    given[j] += widen(dy[j])
            here = (first + h) * d
            x, dx = qkv[i][here : here + d], found[i][here : here + d]
            if not len(cos):
                for j in range(d):
                    dx[j] = narrow(given[j])
                continue
            for j in range(half):
                turned[j] = (given[j] * c[j] + given[half + j] * s[half + j]) * gain[j]
                other = given[half + j] * c[half + j] - given[j] * s[j]
                turned[half + j] = other * gain[half + j]
            if len(w):
                _norm_backward(turned, x, eps)
            for j in range(d):
                dx[j] = narrow(turned[j])


@compiled()  # type: ignore[untyped-decorator]
def gather(starts: Any, at: Any, heads: Any, d: Any, flat: Any, rows: Any) -> None:
    for i in range(len(rows)):
        for h in range(heads):
            there = _first(at[starts[i]], h, heads, d)
            x, y = flat[there : there + d], rows[i][h * d : (h + 1) * d]
            for j in range(d):
                y[j] = x[j]


@compiled()  # type: ignore[untyped-decorator]
def scatter(starts: Any, at: Any, heads: Any, d: Any, rows: Any, flat: Any) -> None:
    for i in range(len(rows)):
        for h in range(heads):
            there = _first(at[starts[i]], h, heads, d)
            x, y = rows[i][h * d : (h + 1) * d], flat[there : there + d]
            for j in range(d):
                y[j] = x[j]


@compiled(inline="always")  # type: ignore[untyped-decorator]
def _seen(i: Any, heads: Any, queries: Any, keys: Any, lengths: Any, before: Any) -> Any:
    """Return a query's place among its keys, and how many it works on: not past that place, but
    for whole vectors; none, where it stands for padding."""
    segment, query = i // (heads * queries), i % queries
    place = before[segment] + query
    seen = min(keys, place // LANES * LANES + LANES) if query < lengths[segment] else 0
    return place, seen


@compiled()  # type: ignore[untyped-decorator]
def softmax(
    scores: Any, heads: Any, queries: Any, lengths: Any, before: Any,
    scale: Any, window: Any,
) -> None:  # fmt: skip
    keys = scores.shape[1]
    whole = np.empty(keys, f32)
    for i in range(len(scores)):
        place, seen = _seen(i, heads, queries, keys, lengths, before)
        row, wide = scores[i][:seen], whole[:seen]
        scores[i][seen:] = 0
        if not seen:
            continue
        first = max(0, place + 1 - window)
        top, s = _top(row[first : place + 1]), f32(0.0)
        for k in range(len(row)):
            wide[k] = exp((widen(row[k]) - top) * scale)
        wide[:first] = 0
        wide[place + 1 :] = 0
        for k in range(len(wide)):
            s += wide[k]
        inverse = f32(1.0) / s
        for k in range(len(wide)):
            row[k] = narrow(wide[k] * inverse)


@compiled()  # type: ignore[untyped-decorator]
def softmax_backward(
    d: Any, p: Any, heads: Any, queries: Any, lengths: Any, before: Any,
    scale: Any,
) -> None:  # fmt: skip
    """What a query does not see has a probability of 0."""
    keys = d.shape[1]
    for i in range(len(d)):
        _, seen = _seen(i, heads, queries, keys, lengths, before)
        row, ps = d[i][:seen], p[i][:seen]
        d[i][seen:] = 0
        s = f32(0.0)
        for k in range(len(row)):
            s += widen(row[k]) * widen(ps[k])
        for k in range(len(row)):
            row[k] = narrow(scale * widen(ps[k]) * (widen(row[k]) - s))


@compiled()  # type: ignore[untyped-decorator]
def cross_entropy(logits: Any, targets: Any, weight: Any, learns: Any, losses: Any) -> None:
    v = logits.shape[1]
    for i in range(len(logits)):
        row, target = logits[i], targets[i]
        top, right, s = _top(row), widen(row[target]), f32(0.0)
        if learns:
            for j in range(v):
                e = exp(widen(row[j]) - top)
                s += e
                row[j] = narrow(e)
            part = weight / s
            for j in range(v):
                row[j] = narrow(widen(row[j]) * part)
            row[target] = narrow(exp(right - top) * part - weight)
        else:
            for j in range(v):
                s += exp(widen(row[j]) - top)
        losses[i] = np.log(s) + top - right
