"""How the gate's own errors are counted."""

from __future__ import annotations

from random import Random

import pytest

from loadtests.measure.gate import GAINS, HARMS, NEITHER, USELESS, Judged, acceptance, of_kind


def judged(base: int, adapted: int, helped: int, hurt: int, accepted: float = 1.0) -> Judged:
    return Judged("t", "usual", base, adapted, helped, hurt, 24, accepted, accepted > 0)


@pytest.mark.parametrize(
    ("each", "kind"),
    [
        (judged(0, 0, 0, 0), USELESS),
        (judged(5, 0, 0, 5), USELESS),
        (judged(2, 12, 10, 0), GAINS),
        (judged(12, 2, 0, 10), HARMS),
        (judged(12, 14, 4, 2), NEITHER),
    ],
)
def test_what_an_adapter_is_worth_is_no_luck(each: Judged, kind: str) -> None:
    assert each.kind == kind


def test_what_answers_nothing_right_is_never_accepted_and_what_loses_nothing_always() -> None:
    none, every = [False] * 18, [True] * 18
    assert acceptance(none, none, 6, Random(0)) == 0.0
    assert acceptance(none, every, 6, Random(0)) == 1.0
    assert acceptance(every, every, 6, Random(0)) == 0.0, "nothing is gained"
    assert acceptance(every, none, 6, Random(0)) == 0.0


def test_one_gained_of_eighteen_is_found_unless_the_base_ends_the_waves_before() -> None:
    one = [True] + [False] * 17
    assert acceptance([False] * 18, one, 6, Random(0)) == 1.0
    with_base = acceptance([False] * 17 + [True], [*one[:17], True], 6, Random(0))
    # Of three waves of six, the gain lies in an earlier one than the base's own, or in the same.
    assert with_base == pytest.approx((1 + 5 / 17) / 2, abs=0.06)


def test_a_share_is_of_the_adapters_of_a_kind() -> None:
    found = of_kind([judged(0, 0, 0, 0, 0.0), judged(2, 12, 10, 0), judged(2, 9, 7, 0, 0.5)], GAINS)
    assert found is not None
    assert found[0] == 0.75
    assert of_kind([], GAINS) is None
