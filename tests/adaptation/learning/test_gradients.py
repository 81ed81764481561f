"""Whoever shares a batch: every adapter's losses and gradients are those that PEFT finds alone."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.asking import Ask, answer, mean
from adaptation.learning.service.base import Base
from adaptation.learning.service.kernels import choose, plain
from adaptation.learning.training.sequences import TrainingExample
from tests.adaptation.learning.models import (
    ALONE,
    FOREIGN,
    KNOWN,
    Peft,
    base_of,
    beginning_alike,
    example,
    randomised,
)

BASES = {family: base_of(family) for family in (*KNOWN, *FOREIGN)}
Drawn = list[tuple[int, int, list[int]]]
JOBS = st.lists(
    st.tuples(
        st.integers(1, 9),
        st.sampled_from([0, 0, 3, 30]),
        st.lists(st.integers(2, 40), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=4,
)
"""(rank, tokens that the examples begin with alike, lengths of what follows them) of each."""


def jobs_of(base: Base, drawn: Drawn) -> list[Ask]:
    return [
        Ask(
            randomised(base, rank, seed),
            beginning_alike(shared, [example(17 * seed + i, n) for i, n in enumerate(lengths)]),
            learns=True,
        )
        for seed, (rank, shared, lengths) in enumerate(drawn)
    ]


def check(family: str, adapter: Adapter, examples: Sequence[TrainingExample], loss: float) -> None:
    peft = Peft(family, adapter)
    wanted = peft.loss(examples)
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-4)
    of_peft = peft.gradients()
    values = adapter.master.clone()
    adapter.restore(adapter.master.grad)  # its parts are the gradient's now
    for name, a, b in adapter.parts():
        for found, sought in ((a, of_peft[name][0]), (b, of_peft[name][1])):
            assert torch.allclose(found, sought, rtol=1e-3, atol=2e-5), name
    adapter.restore(values)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(BASES)), JOBS, st.integers(1, 200))
def test_gradients_are_those_of_peft_alone(family: str, drawn: Drawn, most_tokens: int) -> None:
    base = BASES[family]
    assert base.packs
    asks = jobs_of(base, drawn)
    for ask, losses in zip(asks, answer(base, asks, most_tokens), strict=True):
        check(family, ask.adapter, ask.examples, mean(losses))


@pytest.mark.parametrize("family", ALONE)
def test_a_model_that_looks_across_examples_gets_one_a_pass(
    family: str,
) -> None:
    base = base_of(family)
    assert not base.packs
    asks = jobs_of(base, [(2, 5, [7, 12]), (3, 0, [9])])
    for ask, losses in zip(asks, answer(base, asks, 1000), strict=True):
        check(family, ask.adapter, ask.examples, mean(losses))


@pytest.mark.parametrize("kernels", [choose(torch.device("cpu"), torch.bfloat16), plain])
@pytest.mark.parametrize("family", KNOWN)
def test_in_bf16_gradients_point_where_those_of_float32_do(
    family: str, kernels: ModuleType
) -> None:
    wide, narrow = BASES[family], base_of(family, torch.bfloat16)
    narrow.stage.kernels = kernels
    drawn: Drawn = [(4, 25, [20, 33, 7]), (8, 0, [16])]
    found = []
    for base in (wide, narrow):
        asks = jobs_of(base, drawn)
        answer(base, asks, 1000)
        found.append([ask.adapter.master.grad for ask in asks])
    for one, other in zip(*found, strict=True):
        assert torch.cosine_similarity(one, other, dim=0) > 0.995
        assert other.norm() == pytest.approx(one.norm().item(), rel=0.03)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_a_job_finds_depends_on_nobody_else_to_the_last_bit(dtype: torch.dtype) -> None:
    base = base_of("qwen3", dtype)
    drawn: Drawn = [(4, 0, [20, 33, 7]), (8, 25, [16, 61]), (4, 0, [5]), (3, 30, [14, 60, 9])]
    alone = jobs_of(base, drawn)
    for ask in alone:
        answer(base, [ask], 10_000)
    together = jobs_of(base, drawn)
    answer(base, together, 10_000)
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.adapter.master.grad, other.adapter.master.grad)
