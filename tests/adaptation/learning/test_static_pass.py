"""A pass of fixed sizes finds what the ordinary one does, whatever padding is in it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptation.learning.service.base import Base
from adaptation.learning.service.grid import PassShape, rounded, shape_of
from adaptation.learning.service.kernels import plain
from adaptation.learning.service.packing import Part, n_targets
from adaptation.learning.service.slots import Slots
from adaptation.learning.service.static_pass import StaticPass
from tests.adaptation.learning.models import KNOWN, base_of, beginning_alike, example, randomised
from tests.adaptation.learning.tape import TapeRecorder

BASES = {family: base_of(family) for family in KNOWN}
Drawn = list[tuple[int, list[int]]]
JOBS = st.lists(
    st.tuples(st.sampled_from([0, 0, 3, 30]), st.lists(st.integers(2, 40), min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)
"""(tokens that the examples begin with alike, lengths of what follows them) of each."""


def parts_of(base: Base, drawn: Drawn, rank: int = 3) -> list[Part]:
    found = []
    for seed, (shared, lengths) in enumerate(drawn):
        own = [example(17 * seed + i, n) for i, n in enumerate(lengths)]
        examples = beginning_alike(shared, own)
        weight = 1 / max(1, n_targets(examples))
        found.append(Part(randomised(base, rank, seed), examples, weight))
    return found


def static_of(base: Base, shape: PassShape) -> StaticPass:
    slots = Slots(shape.slots, base.shapes, shape.rank, base.dtype, base.device)
    return StaticPass(base, shape, slots)


def learned(static: StaticPass, parts: list[Part]) -> list[tuple[torch.Tensor, ...]]:
    static.fill(parts)
    static.run()
    return static.taken(parts)


def gradients(parts: list[Part]) -> list[torch.Tensor]:
    """Take the parts' gradients away."""
    found = [part.adapter.master.grad.clone() for part in parts]  # type: ignore[union-attr]
    for part in parts:
        part.adapter.forget()
    return found


def same(one: list[tuple[torch.Tensor, ...]], other: list[tuple[torch.Tensor, ...]]) -> None:
    for mine, theirs in zip(one, other, strict=True):
        for found, wanted in zip(mine, theirs, strict=True):
            assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5)


def check(base: Base, static: StaticPass, parts: list[Part]) -> None:
    wanted, wanted_gradients = base.learn_once(parts), gradients(parts)
    same(learned(static, parts), wanted)
    for found, sought in zip(gradients(parts), wanted_gradients, strict=True):
        assert torch.allclose(found, sought, rtol=1e-3, atol=2e-5)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(KNOWN)), JOBS, JOBS, st.integers(1, 9))
def test_it_finds_what_the_ordinary_pass_does_for_one_filling_after_another(
    family: str, first: Drawn, second: Drawn, rank: int
) -> None:
    base = BASES[family]
    fillings = [parts_of(base, drawn, rank) for drawn in (first, second)]
    one, other = map(shape_of, fillings)
    names = ("slots", "rows", "segments", "length", "targets")
    both = replace(one, **{name: max(getattr(one, name), getattr(other, name)) for name in names})
    assert both.covers(one)
    assert both.covers(other)
    static = static_of(base, both)
    for parts in fillings:
        check(base, static, parts)


@settings(deadline=None, max_examples=15)
@given(st.sampled_from(sorted(KNOWN)), JOBS, st.lists(st.integers(2, 40), min_size=1, max_size=4))
def test_recorded_with_some_jobs_it_is_right_for_others(
    family: str, first: Drawn, lengths: list[int]
) -> None:
    base = BASES[family]
    shape = PassShape(slots=4, rows=192, segments=4, length=96, targets=128, rank=2)
    static = static_of(base, shape)
    static.fill(parts_of(base, first, 2))
    replay = TapeRecorder().record(static.run)
    parts = parts_of(base, [(5, lengths), (0, lengths[:1])], 2)
    wanted, wanted_gradients = base.learn_once(parts), gradients(parts)
    static.fill(parts)
    replay()
    same(static.taken(parts), wanted)
    for found, sought in zip(gradients(parts), wanted_gradients, strict=True):
        assert torch.allclose(found, sought, rtol=1e-3, atol=2e-5)


def test_a_job_that_is_not_a_number_leaves_others_and_who_comes_next_as_they_are() -> None:
    base = BASES["qwen3"]
    parts = parts_of(base, [(0, [20, 33]), (30, [16, 8]), (0, [5])])
    static = static_of(base, shape_of(parts))
    healthy, wanted = learned(static, parts), gradients(parts)
    values = parts[1].adapter.master.clone()
    parts[1].adapter.restore(torch.full_like(values, math.nan))
    sick, found = learned(static, parts), gradients(parts)
    assert torch.isnan(torch.cat(sick[1])).all()
    assert all(torch.equal(found[n], wanted[n]) for n in (0, 2))
    assert all(torch.equal(torch.cat(sick[n]), torch.cat(healthy[n])) for n in (0, 2))
    parts[1].adapter.restore(values)
    learned(static, parts)
    assert all(map(torch.equal, gradients(parts), wanted))


@pytest.mark.parametrize("family", KNOWN)
def test_in_bf16_it_is_as_near_to_float32_as_the_ordinary_pass(family: str) -> None:
    wide, narrow = BASES[family], base_of(family, torch.bfloat16)
    narrow.stage.kernels = plain
    drawn: Drawn = [(25, [20, 33, 7]), (0, [16])]
    sought = parts_of(wide, drawn)
    wide.learn_once(sought)
    parts = parts_of(narrow, drawn)
    narrow.learn_once(parts)
    ordinary = gradients(parts)
    learned(static_of(narrow, shape_of(parts)), parts)
    for wanted, usual, found in zip(gradients(sought), ordinary, gradients(parts), strict=True):
        error, usual_error = ((each - wanted).norm() / wanted.norm() for each in (found, usual))
        assert error < 1.5 * usual_error + 0.02


@given(st.integers(0, 10_000), st.sampled_from([1, 16, 32, 64]))
def test_sizes_are_few_and_waste_less_than_a_half(n: int, least: int) -> None:
    found = rounded(n, least)
    assert found >= max(n, least)
    assert found == least or found < 1.5 * n + 1
    assert rounded(found, least) == found
    assert least % 32 or found % 16 == 0, "a length is a whole number of padded segments"
