"""Estimates, their spread, and tests against luck."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from adaptation.statistics import (
    Interval,
    bootstrap_difference,
    bootstrap_ratio,
    geometric_mean,
    mcnemar_one_sided,
    mcnemar_two_sided,
    median_difference,
    not_worse,
    paired,
    quartiles,
    wilson,
    without_nan,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60)


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
    flips = found.helped + found.hurt
    expected = binomtest(found.helped, flips).pvalue if flips else 1.0
    assert found.p_value == pytest.approx(expected)


def test_a_pair_says_which_way_it_flipped() -> None:
    found = paired([True, False, False, True], [True, True, True, False])
    assert (found.helped, found.hurt) == (2, 1)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_one_sided_p_is_the_exact_binomial_one(helped: int, hurt: int) -> None:
    flips = helped + hurt
    expected = binomtest(helped, flips, alternative="greater").pvalue if flips else 1.0
    assert mcnemar_one_sided(helped, hurt) == pytest.approx(expected)


def test_mcnemar_of_a_published_table() -> None:
    assert mcnemar_two_sided(8, 1) == pytest.approx(0.0390625)  # 2 · (9 + 1) / 2⁹
    assert mcnemar_two_sided(1, 8) == pytest.approx(0.0390625)
    assert mcnemar_two_sided(0, 0) == 1.0


def test_thousands_of_disagreements_are_still_counted_exactly() -> None:
    expected = binomtest(1100, 2000, alternative="greater").pvalue
    assert mcnemar_one_sided(1100, 900) == pytest.approx(expected)


def test_nothing_measured_has_no_quartiles() -> None:
    assert math.isnan(quartiles([]).value)


def test_a_difference_has_the_interval_that_scipy_draws() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.random(200) < 0.7, rng.random(200) < 0.5
    found = bootstrap_difference(list(ours), list(theirs), seed=0)
    deltas = ours.astype(float) - theirs
    drawn = bootstrap((deltas,), np.mean, method="percentile", rng=np.random.default_rng(5))
    assert found.value == pytest.approx(deltas.mean())
    assert found.low == pytest.approx(drawn.confidence_interval.low, abs=0.011)
    assert found.high == pytest.approx(drawn.confidence_interval.high, abs=0.011)


@given(PAIRS)
def test_a_difference_lies_within_its_interval_and_turns_with_its_arms(
    pairs: list[tuple[bool, bool]],
) -> None:
    ours, theirs = [first for first, _ in pairs], [second for _, second in pairs]
    found, turned = (
        bootstrap_difference(ours, theirs, seed=0),
        bootstrap_difference(theirs, ours, seed=0),
    )
    assert found.low <= found.value <= found.high
    assert found.value == -turned.value
    step = 2.5 / len(pairs)  # two resamplings may fall on neighbouring fractions
    assert found.low == pytest.approx(-turned.high, abs=step)


def test_arms_that_differ_alike_everywhere_have_an_interval_of_no_width() -> None:
    assert bootstrap_difference([True] * 9, [True] * 9, seed=0) == Interval(0.0, 0.0, 0.0)
    assert bootstrap_difference([0.3] * 7, [0.1] * 7, seed=0).low == pytest.approx(0.2)


def test_one_pair_has_a_difference_without_bounds_and_none_has_nothing() -> None:
    found = bootstrap_difference([True], [False], seed=0)
    assert found.value == 1.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    nothing = bootstrap_difference([], [], seed=0)
    assert math.isnan(nothing.value)
    assert math.isnan(nothing.low)


def test_arms_of_unequal_length_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        bootstrap_difference([True, True, False], [True, False], seed=0)


def test_harm_is_ruled_out_by_the_lower_bound_alone() -> None:
    assert not_worse(Interval(0.0, -0.01, 0.01), 0.01)
    assert not not_worse(Interval(0.02, -0.011, 0.05), 0.01)
    assert not not_worse(bootstrap_difference([True], [False], seed=0), 0.01)


def test_a_ratio_to_nothing_is_no_number() -> None:
    found = bootstrap_ratio([1.0, 2.0], [0.0, 0.0], seed=0)
    assert all(map(math.isnan, (found.value, found.low, found.high)))
    assert math.isnan(bootstrap_ratio([], [], seed=0).value)


def test_json_says_null_where_there_is_no_number() -> None:
    value = {"a": [1, math.nan, (math.nan, "x")], "b": None}
    assert json.loads(json.dumps(without_nan(value), allow_nan=False)) == {
        "a": [1, None, [None, "x"]],
        "b": None,
    }
