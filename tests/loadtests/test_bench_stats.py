"""The figures a benchmark prints: estimates, their spread, and tests against luck."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from loadtests.stats import (
    Interval,
    bootstrap_ratio,
    geometric_mean,
    median_difference,
    paired,
    quartiles,
    wilson,
)


def test_quartiles_enclose_the_median() -> None:
    assert quartiles([1, 2, 3, 4, 5]) == Interval(3, 2, 4)


def test_wilson_agrees_with_the_published_example() -> None:
    found = wilson(8, 10)  # Newcombe 1998
    assert found.value == 0.8
    assert (round(found.low, 3), round(found.high, 3)) == (0.490, 0.943)


def test_a_share_of_nothing_may_be_anything() -> None:
    found = wilson(0, 0)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0.0, 1.0)


def test_a_ratio_of_proportional_arms_has_no_spread() -> None:
    found = bootstrap_ratio([1.0, 2.0, 5.0], [2.0, 4.0, 10.0], seed=0)
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_a_bootstrap_depends_on_its_seed_alone() -> None:
    above, below = [1.0, 4.0, 2.0, 8.0], [2.0, 3.0, 5.0, 7.0]
    assert bootstrap_ratio(above, below, seed=3) == bootstrap_ratio(above, below, seed=3)


def test_a_constant_delay_is_found_in_noise_that_both_arms_share() -> None:
    theirs = [10.0, 101.0, 52.0, 33.0]
    found = median_difference([each + 1.0 for each in theirs], theirs, seed=0)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_one_pair_has_an_estimate_and_no_interval() -> None:
    found = bootstrap_ratio([3.0], [4.0], seed=0)
    assert found.value == 0.75
    assert math.isnan(found.low)


def test_rounds_are_averaged_geometrically() -> None:
    found = geometric_mean([0.5, 2.0])
    assert found.value == pytest.approx(1.0)
    assert found.low < 1.0 < found.high


def test_one_round_has_no_interval() -> None:
    assert math.isnan(geometric_mean([0.9]).high)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_the_two_sided_p_is_the_exact_binomial_one(pairs: list[tuple[bool, bool]]) -> None:
    found = paired([before for before, _ in pairs], [after for _, after in pairs])
    flips = found.gained + found.lost
    expected = binomtest(found.gained, flips).pvalue if flips else 1.0
    assert found.p_value == pytest.approx(expected)


def test_a_pair_says_which_way_it_flipped() -> None:
    found = paired([True, False, False, True], [True, True, True, False])
    assert (found.gained, found.lost) == (2, 1)
