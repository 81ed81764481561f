"""What a threshold of the champion's scope is worth, counted."""

from __future__ import annotations

import pytest

from loadtests.measure.scope import Answered, Worth, worth

NEAR_HELPED = Answered("target", 0.9, base=False, champion=True, alike=False)
NEAR_SAME = Answered("target", 0.8, base=True, champion=True, alike=True)
FAR_HURT = Answered("everyday", 0.3, base=True, champion=False, alike=False)
FAR_SAME = Answered("everyday", 0.2, base=False, champion=False, alike=True)
ALL = (NEAR_HELPED, NEAR_SAME, FAR_HURT, FAR_SAME)


@pytest.mark.parametrize(
    ("least", "found"),
    [
        (-1.0, Worth(served=1.0, right=0.5, changed=0.5)),
        (0.5, Worth(served=0.5, right=0.75, changed=0.25)),
        (0.8, Worth(served=0.5, right=0.75, changed=0.25)),
        (0.85, Worth(served=0.25, right=0.75, changed=0.25)),
        (1.0, Worth(served=0.0, right=0.5, changed=0.0)),
    ],
)
def test_near_questions_are_judged_by_the_champion_and_far_ones_by_the_base(
    least: float, found: Worth
) -> None:
    assert worth(ALL, least) == found
