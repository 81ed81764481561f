"""The compiled operations say what torch's do, and each gradient is that of its operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch

from adaptation.learning.service.kernels import choose, plain
from adaptation.learning.service.operations import RmsNorm, SegmentAttention, SiluMul
from adaptation.learning.service.places import Heads, Places, Segment, one_after_the_other

LENGTHS = (5, 16, 33, 17, 30)
N, D, FAR = sum(LENGTHS), 8, 2**30
CPU = torch.device("cpu")
KINDS = [(choose(CPU, dtype), dtype) for dtype in (torch.float32, torch.bfloat16)]
PLACES = Places(one_after_the_other(LENGTHS), CPU)
fast = choose(CPU, torch.bfloat16)


def heads(dtype: torch.dtype, window: int = FAR, *, normed: bool = True) -> Heads:
    torch.manual_seed(1)
    places = torch.cat([torch.arange(length) for length in LENGTHS]).float()
    angles = torch.outer(places, torch.tensor([1.0, 0.5, 0.1, 0.02])).repeat(1, 2)
    weights = (torch.rand(D).to(dtype), torch.rand(D).to(dtype)) if normed else (None, None)
    return Heads(
        4, 2, D, 0.3, window, angles.cos().to(dtype), angles.sin().to(dtype), *weights, 1e-6
    )


def by_hand(qkv: torch.Tensor, h: Heads) -> torch.Tensor:
    """Attention by the book, one segment after the other."""
    out, start = [], 0
    for length in LENGTHS:
        rows = slice(start, start + length)
        start += length
        q, k, v = qkv[rows].view(length, -1, D).split((h.n_q, h.n_kv, h.n_kv), 1)
        if h.q_weight is not None:
            q, k = (
                torch.nn.functional.rms_norm(x, (D,), w, h.eps)
                for x, w in ((q, h.q_weight), (k, h.k_weight))
            )
        cos, sin = h.cos[rows, None], h.sin[rows, None]
        q, k = (
            x * cos + torch.cat((-x[..., D // 2 :], x[..., : D // 2]), -1) * sin for x in (q, k)
        )
        k, v = (x.repeat_interleave(h.n_q // h.n_kv, 1) for x in (k, v))
        scores = torch.einsum("qhd,khd->hqk", q, k) * h.scale
        back = torch.arange(length)[:, None] - torch.arange(length)
        scores = scores.masked_fill((back < 0) | (back >= h.window), float("-inf"))
        out.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), v).flatten(1))
    return torch.cat(out)


@pytest.mark.parametrize("window", [FAR, 7])
@pytest.mark.parametrize("normed", [True, False])
def test_attention_within_segments_is_attention_by_the_book(window: int, normed: bool) -> None:
    h = heads(torch.float64, window, normed=normed)
    ours = torch.randn(N, 8 * D, dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    dy = torch.randn(N, 4 * D, dtype=torch.float64)
    found, wanted = SegmentAttention.apply(ours, h, PLACES, plain), by_hand(theirs, h)
    assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-6)  # norms are in float32
    found.backward(dy)
    wanted.backward(dy)
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


def shared(first: int, own: Sequence[int]) -> tuple[Places, torch.Tensor]:
    """Segments that begin with the same rows, and the rows of each, whole."""
    starts = [first + sum(own[:i]) for i in range(len(own))]
    rows = [range(start, start + n) for start, n in zip(starts, own, strict=True)]
    places = Places([Segment(range(first)), *(Segment(each, range(first)) for each in rows)], CPU)
    return places, torch.cat([torch.tensor([*range(first), *each]) for each in rows])


@pytest.mark.parametrize("window", [FAR, 20, 7])
@pytest.mark.parametrize(("kernels", "dtype"), KINDS)
def test_rows_before_a_segment_are_as_if_each_had_its_own(
    window: int, kernels: ModuleType, dtype: torch.dtype
) -> None:
    places, whole = shared(21, [5, 16, 3])
    n = 21 + 5 + 16 + 3
    h = heads(dtype, window)
    mine, theirs = (
        replace(h, cos=h.cos[rows], sin=h.sin[rows]) for rows in (torch.arange(n), whole)
    )
    ours = torch.randn(n, 8 * D).to(dtype).requires_grad_()
    apart = ours.detach().clone().requires_grad_()
    dy = torch.randn(n, 4 * D).to(dtype)
    found = SegmentAttention.apply(ours, mine, places, kernels)
    copied = Places(one_after_the_other([26, 37, 24]), CPU)
    wanted = SegmentAttention.apply(apart[whole], theirs, copied, kernels)
    first = torch.tensor([(whole == row).nonzero()[0, 0] for row in range(n)])
    found.backward(dy)
    wanted[first].backward(dy)
    limit = 0.02 if dtype == torch.bfloat16 else 1e-5
    for one, other in ((found, wanted[first]), (ours.grad, apart.grad)):
        assert (one - other).norm() < limit * other.norm()


def both(function: Any, x: torch.Tensor, *rest: Any) -> tuple[list[torch.Tensor], ...]:
    """What an operation and its gradient are with torch in float32, and compiled in bf16."""
    found = []
    for kernels, dtype in ((plain, torch.float32), (fast, torch.bfloat16)):
        mine = x.to(dtype).requires_grad_()
        cast = [part.to(dtype) if torch.is_tensor(part) else part for part in rest]
        cast = [heads(dtype, part.window) if isinstance(part, Heads) else part for part in cast]
        y = function.apply(mine, *cast, kernels)
        torch.manual_seed(2)
        y.backward(torch.randn(y.shape).bfloat16().to(dtype))
        found.append([y.detach().float(), mine.grad.float()])
    return tuple(found)


needs_fast = pytest.mark.skipif(fast is plain, reason="numba comes with vLLM")


@needs_fast
@pytest.mark.parametrize(
    ("function", "width", "rest"),
    [
        (RmsNorm, 40, (torch.linspace(0.5, 2, 40).bfloat16(), 1e-6)),
        (SiluMul, 40, ()),
        (SegmentAttention, 8 * D, (heads(torch.float32), PLACES)),
        (SegmentAttention, 8 * D, (heads(torch.float32, 7), PLACES)),
    ],
)
def test_compiled_operations_agree_with_torch(function: Any, width: int, rest: Any) -> None:
    torch.manual_seed(0)
    wanted, found = both(function, (torch.randn(N, width) * 2).bfloat16(), *rest)
    for one, other in zip(wanted, found, strict=True):
        assert (one - other).norm() < 0.01 * one.norm()


@pytest.mark.parametrize("kernels", [plain, fast])
def test_the_loss_of_a_row_and_its_gradient_are_those_of_torch(kernels: ModuleType) -> None:
    torch.manual_seed(0)
    logits = (torch.randn(7, 100) * 4).bfloat16().float().requires_grad_()
    targets = torch.arange(7) * 11
    wanted = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    (wanted.sum() * 0.25).backward()
    mine = logits.detach().to(torch.float32 if kernels is plain else torch.bfloat16)
    losses = kernels.cross_entropy_(mine, targets, None)
    assert torch.allclose(mine.float(), logits.detach())
    assert torch.allclose(losses, wanted.detach(), rtol=1e-4, atol=1e-5)
    kernels.cross_entropy_(mine, targets, 0.25)
    assert torch.allclose(mine.float(), logits.grad, rtol=1e-2, atol=1e-6)


@needs_fast
def test_a_number_that_is_not_one_stays_in_its_own_rows() -> None:
    clean = torch.randn(N, 8 * D).bfloat16()
    spoiled = clean.clone()
    spoiled[:5] = float("nan")
    found = [
        SegmentAttention.apply(x, heads(torch.bfloat16), PLACES, fast) for x in (clean, spoiled)
    ]
    assert torch.isnan(found[1][:5]).all()
    assert torch.equal(found[0][5:], found[1][5:])
    for function, rest in ((RmsNorm, (torch.ones(8 * D).bfloat16(), 1e-6)), (SiluMul, ())):
        one, other = (function.apply(x, *rest, fast) for x in (clean, spoiled))
        assert torch.isnan(other[:5]).all()
        assert torch.equal(one[5:], other[5:])
    logits = torch.randn(2, 300).bfloat16()
    logits[0, 7] = float("nan")
    losses = fast.cross_entropy_(logits, torch.tensor([5, 5]), 1.0)
    assert torch.isnan(losses).tolist() == [True, False]
