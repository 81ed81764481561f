"""The index of fairness, by its own law."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.bench_tenants import jain

SHARES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=8)


def test_equal_shares_are_fair_and_one_for_all_is_not() -> None:
    assert jain([5, 5, 5, 5]) == 1.0
    assert jain([8, 0, 0, 0]) == 0.25
    assert jain([0, 0]) == 0.0


@given(SHARES, st.floats(0.01, 100))
def test_it_lies_between_a_share_each_and_one_for_all_and_knows_no_unit(
    shares: list[float], unit: float
) -> None:
    assert 1 / len(shares) - 1e-9 <= jain(shares) <= 1 + 1e-9
    assert jain([unit * share for share in shares]) == pytest.approx(jain(shares))
