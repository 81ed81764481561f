"""The table of what a newcomer does to the records of its question."""

from __future__ import annotations

import pytest

from memory.settle import Standing, settle_known, settle_new
from memory.types import State, Tier

ACTIVE, QUARANTINED = State.ACTIVE, State.QUARANTINED


def standing(tier: Tier, state: State = ACTIVE, contested: bool = False) -> Standing:
    return Standing("old", state, tier, contested)


@pytest.mark.parametrize(
    ("newcomer", "old", "state", "losers"),
    [
        (Tier.EXECUTABLE, Tier.VOTE, ACTIVE, ("old",)),
        (Tier.VOTE, Tier.VOTE, QUARANTINED, ("old",)),
        (Tier.VOTE, Tier.EXECUTABLE, QUARANTINED, ()),
        (Tier.FEEDBACK, Tier.IMPORTED, ACTIVE, ("old",)),
        (Tier.IMPORTED, Tier.FEEDBACK, QUARANTINED, ()),
    ],
)
def test_a_differing_answer_is_settled_by_its_tier(
    newcomer: Tier, old: Tier, state: State, losers: tuple[str, ...]
) -> None:
    settled = settle_new(newcomer, [standing(old)])
    assert (settled.state, settled.quarantine) == (state, losers)


def test_the_third_of_three_differing_answers_does_not_win_by_coming_last() -> None:
    contested = standing(Tier.FEEDBACK, QUARANTINED, contested=True)
    assert settle_new(Tier.FEEDBACK, [contested]).state is QUARANTINED


def test_an_answer_judged_wrong_does_not_stand_in_the_way_of_the_right_one() -> None:
    assert settle_new(Tier.FEEDBACK, [standing(Tier.EXECUTABLE, QUARANTINED)]).state is ACTIVE


@pytest.mark.parametrize(
    ("newcomer", "known", "state"),
    [
        (Tier.FEEDBACK, Tier.FEEDBACK, ACTIVE),
        (Tier.EXECUTABLE, Tier.VOTE, ACTIVE),
        (Tier.IMPORTED, Tier.FEEDBACK, QUARANTINED),
        (Tier.VOTE, Tier.VOTE, QUARANTINED),
    ],
)
def test_only_evidence_as_strong_and_no_mere_vote_revives_a_quarantined_record(
    newcomer: Tier, known: Tier, state: State
) -> None:
    assert settle_known(newcomer, standing(known, QUARANTINED), []).state is state


def test_a_revived_record_cannot_join_an_active_rival() -> None:
    known = standing(Tier.VOTE, QUARANTINED)
    outranked = settle_known(Tier.FEEDBACK, known, [standing(Tier.EXECUTABLE)])
    drawn = settle_known(Tier.FEEDBACK, known, [standing(Tier.FEEDBACK)])
    assert (outranked.state, outranked.quarantine) == (QUARANTINED, ())
    assert (drawn.state, drawn.quarantine) == (QUARANTINED, ("old",))
