"""Estimates, their spread, and tests against luck."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, norm

from adaptation.statistics import (
    CONFIDENCE,
    Interval,
    Resamples,
    Z,
    bootstrap_ratio,
    geometric_mean,
    mcnemar_one_sided,
    mcnemar_two_sided,
    median_difference,
    not_worse,
    paired,
    quartiles,
    score_difference,
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


def alone(n: int) -> Resamples:
    """Observations that have nothing to do with each other."""
    return Resamples([("all", 0)] * n, seed=0)


def width(found: Interval) -> float:
    return found.high - found.low


def test_a_mean_has_the_interval_that_scipy_draws() -> None:
    values = np.random.default_rng(1).normal(size=200)
    found = alone(200).mean(values)
    drawn = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(5))
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(drawn.confidence_interval.low, abs=0.02)
    assert found.high == pytest.approx(drawn.confidence_interval.high, abs=0.02)


def test_a_ratio_has_the_interval_of_its_pairs() -> None:
    rng = np.random.default_rng(2)
    below = rng.uniform(1, 2, size=150)
    above = below * rng.uniform(1, 3, size=150)
    found = alone(150).ratio(above, below)
    expected = bootstrap_ratio(above.tolist(), below.tolist(), seed=7)
    assert found.value == pytest.approx(expected.value)
    assert found.low == pytest.approx(expected.low, abs=0.02)
    assert found.high == pytest.approx(expected.high, abs=0.02)


@given(PAIRS)
def test_a_difference_lies_within_its_interval_and_turns_with_its_arms(
    pairs: list[tuple[bool, bool]],
) -> None:
    deltas = np.array([int(ours) - int(theirs) for ours, theirs in pairs])
    found, turned = alone(len(pairs)).mean(deltas), alone(len(pairs)).mean(-deltas)
    assert found.low <= found.value <= found.high
    assert found.value == -turned.value
    assert found.low == pytest.approx(-turned.high)


def test_observations_of_a_cluster_that_are_alike_are_not_taken_for_many() -> None:
    values = np.repeat([0.0, 1.0, 1.0, 0.0, 1.0, 1.0], 50)
    clusters = [("suite", place // 50) for place in range(300)]
    found, naive = Resamples(clusters, seed=0).mean(values), alone(300).mean(values)
    assert found.value == naive.value == pytest.approx(4 / 6)
    deviation = math.sqrt(4 / 6 * 2 / 6 / 6)  # of a mean of six worlds, each all or nothing
    assert width(found) == pytest.approx(2 * 1.96 * deviation, rel=0.15)
    assert width(found) > 5 * width(naive)


def test_clusters_that_do_not_differ_have_about_the_plain_interval() -> None:
    values = np.tile([0.0, 1.0], 300)
    clusters = [("suite", place // 100) for place in range(600)]
    ratio = width(Resamples(clusters, seed=0).mean(values)) / width(alone(600).mean(values))
    assert ratio == pytest.approx(1.0, abs=0.1)


def test_strata_are_resampled_each_by_itself() -> None:
    """Suites of their own difficulty are no luck: they would be drawn again."""
    values = [*[0.0] * 50, *[1.0] * 50, *[0.0, 1.0] * 25]
    strata = [(place // 50, 0) for place in range(150)]
    found, pooled = Resamples(strata, seed=0).mean(values), alone(150).mean(values)
    assert width(found) == pytest.approx(width(pooled) / math.sqrt(3), rel=0.15)


def test_clusters_may_be_of_any_size_and_stand_in_any_order() -> None:
    clusters = [("a", 1), ("b", 0), ("a", 0), ("a", 0), ("b", 0), ("a", 0)]
    held = Resamples(clusters, seed=0)
    assert held.mean([7.0] * 6) == Interval(7.0, 7.0, 7.0)
    in_b = [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    share = held.mean(in_b)  # always two of stratum b, with two to six of stratum a
    assert (share.low, share.value, share.high) == (0.25, 2 / 6, 0.5)
    assert held.ratio([0.0, 3.0, 0.0, 0.0, 3.0, 0.0], in_b) == Interval(3.0, 3.0, 3.0)


def test_resamples_depend_on_their_seed_alone() -> None:
    values, clusters = [0.0, 1.0, 2.0, 5.0], [("a", 0), ("a", 0), ("a", 1), ("b", 0)]
    assert Resamples(clusters, 3).mean(values) == Resamples(clusters, 3).mean(values)


def test_one_observation_has_a_mean_without_bounds_and_none_has_nothing() -> None:
    found = alone(1).mean([1.0])
    assert found.value == 1.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    nothing = alone(0).mean([])
    assert math.isnan(nothing.value)
    assert math.isnan(nothing.low)


def test_resamples_of_nothing_below_have_no_ratio() -> None:
    assert math.isnan(alone(2).ratio([1.0, 2.0], [0.0, 0.0]).value)
    assert math.isnan(alone(2).ratio([1.0, 2.0], [0.0, 1.0]).low)


@pytest.mark.parametrize(
    ("helped", "hurt", "pairs", "low", "high", "digits"),
    [
        (1, 7, 21, -0.517, -0.026, 3),  # Fagerland, Lydersen, Laake 2014, table V
        (6, 16, 161, -0.1240, -0.0054, 4),  # Fagerland, Lydersen, Laake 2017, chapter 8
    ],
)
def test_the_score_interval_is_the_published_one(
    helped: int, hurt: int, pairs: int, low: float, high: float, digits: int
) -> None:
    found = score_difference(helped, hurt, pairs)
    assert found.value == (helped - hurt) / pairs
    assert (round(found.low, digits), round(found.high, digits)) == (low, high)


@pytest.mark.parametrize(("pairs", "bound"), [(2, 0.658), (48, 0.0741), (300, 0.0126)])
def test_pairs_that_never_differ_bound_a_difference_by_their_number(
    pairs: int, bound: float
) -> None:
    found = score_difference(0, 0, pairs)
    assert found.value == 0.0
    assert found.high == -found.low == pytest.approx(Z**2 / (pairs + Z**2))
    assert found.high == pytest.approx(bound, rel=0.01)


def test_where_pairs_flip_one_way_alone_the_far_bound_is_wilsons() -> None:
    assert score_difference(0, 5, 1200).low == pytest.approx(-wilson(5, 1200).high)
    assert score_difference(5, 0, 1200).high == pytest.approx(wilson(5, 1200).high)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_a_score_interval_has_a_width_holds_its_estimate_and_turns(
    helped: int, hurt: int, agreeing: int
) -> None:
    pairs = helped + hurt + agreeing
    if not pairs:
        assert math.isnan(score_difference(0, 0, 0).low)
        return
    found, turned = score_difference(helped, hurt, pairs), score_difference(hurt, helped, pairs)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert (found.low, found.high) == (-turned.high, -turned.low)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2])
def test_the_score_interval_covers_what_is_true(share: float) -> None:
    rng, loss = np.random.default_rng(4), 0.03
    drawn = rng.multinomial(150, (share, share + loss, 1 - 2 * share - loss), size=1000)
    found = [score_difference(helped, hurt, 150) for helped, hurt, _ in drawn.tolist()]
    covered = sum(each.low <= -loss <= each.high for each in found)
    assert covered >= 930


def test_the_quantile_is_that_of_the_confidence() -> None:
    assert norm.ppf((1 + CONFIDENCE) / 2) == pytest.approx(Z)


def test_harm_is_ruled_out_by_the_lower_bound_alone() -> None:
    assert not_worse(Interval(0.0, -0.01, 0.01), 0.01)
    assert not not_worse(Interval(0.02, -0.011, 0.05), 0.01)
    assert not not_worse(Interval(0.0, math.nan, math.nan), 0.01)


@pytest.mark.parametrize(
    ("pairs", "ruled_out"), [(2, False), (300, False), (380, False), (381, True)]
)
def test_it_takes_381_equal_pairs_to_rule_out_a_loss_of_a_point(
    pairs: int, ruled_out: bool
) -> None:
    assert not_worse(score_difference(0, 0, pairs), 0.01) is ruled_out  # 99 z² = 380.3


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
