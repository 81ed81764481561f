"""The claims' judges: each met on results that show it, missed on results that do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from adaptation.evaluation.results import Results
from adaptation.evaluation.trial import Trial
from adaptation.suites.suite import Group
from loadtests.measure import claims
from tests.adaptation.evaluation.made_up import outcomes, run

N = 200


def first(right: int) -> list[bool]:
    """`N` outcomes, the first `right` of them right."""
    return [number < right for number in range(N)]


def arm(name: str, suite: str, right: int, **fields: Any) -> Sequence[Trial]:
    return outcomes(name, first(right), suite=suite, **fields)


def shifted(suite: str, **right: int) -> list[Sequence[Trial]]:
    """One suite's arms; `demos` is every number of demonstrations."""
    demos = dict.fromkeys(claims.DEMONSTRATIONS, right["demos"])
    rest = {name: n for name, n in right.items() if name != "demos"}
    return [arm(name, suite, n, group=Group.SHIFTED) for name, n in (demos | rest).items()]


def votes(**gains: int) -> Results:
    """Suites whose vote has so many more right than one sample."""
    return run(
        *(arm("one", suite, 100) for suite in gains),
        *(arm("vote", suite, 100 + gain) for suite, gain in gains.items()),
    )


@pytest.mark.parametrize(
    ("gains", "met"),
    [
        ({"stories": 20, "units": 16}, True),
        ({"stories": 20, "units": 15}, False),  # 7.5 points
        ({"stories": 40}, False),  # one suite alone
    ],
)
def test_voting_needs_eight_points_on_two_suites(gains: dict[str, int], met: bool) -> None:
    claim = claims.voting(votes(**gains))
    assert claim.met is met
    assert len(claim.found) == len(gains)


def test_a_gain_that_may_be_luck_is_no_gain() -> None:
    rights = [number % 2 == 0 for number in range(20)]
    better = [*rights[:-2], True, True]
    some = {"suite": "units"}, {"suite": "stories"}
    results = run(
        *(outcomes("one", rights, **each) for each in some),
        *(outcomes("vote", better, **each) for each in some),
    )
    assert not claims.voting(results).met


@pytest.mark.parametrize(("any_right", "met"), [(140, True), (119, False)])
def test_room_is_what_some_sample_got_and_the_vote_did_not(any_right: int, met: bool) -> None:
    trials = [
        trial.model_copy(update={"any_right": number < any_right})
        for number, trial in enumerate(arm("vote", "countdown", 100))
    ]
    assert claims.room(run(trials)).met is met


@pytest.mark.parametrize(("demos", "met"), [(50, True), (49, False)])
def test_in_context_learning_needs_twenty_points_on_one_suite(demos: int, met: bool) -> None:
    assert claims.in_context(run(*shifted("jargon", one=10, demos=demos))).met is met


@pytest.mark.parametrize(
    ("facts", "met"),
    [
        ({"consistency": 10, "ttt": 60, "demos": 60}, True),
        ({"consistency": 10, "ttt": 49, "demos": 20}, False),  # 19.5 points
        ({"consistency": 10, "ttt": 60, "demos": 61}, False),  # the same neighbours do better
    ],
)
def test_training_needs_twenty_points_and_to_beat_its_own_neighbours_on_two_suites(
    facts: dict[str, int], met: bool
) -> None:
    good = shifted("jargon", one=5, consistency=10, ttt=190, demos=100)
    assert claims.training(run(*good, *shifted("facts", one=5, **facts))).met is met


def test_no_harm_is_judged_over_all_suites_by_the_lower_bound() -> None:
    def results(hurt: int, suites: int = 6) -> Results:
        """So many questions of the first suites are hurt, one in each."""
        names = [f"s{i}" for i in range(suites)]
        return run(
            *(arm("consistency", name, 150) for name in names),
            *(arm("ttt", name, 150 - (place < hurt)) for place, name in enumerate(names)),
        )

    assert claims.no_harm(results(hurt=0)).met
    assert claims.no_harm(results(hurt=5)).met  # at most 0.97 points lost: Wilson's for 5 of 1200
    assert not claims.no_harm(results(hurt=6)).met  # 1.09
    assert "6 hurt" in claims.no_harm(results(hurt=6)).found[0]
    assert "score bound -1.09" in claims.no_harm(results(hurt=6)).found[0]
    assert claims.no_harm(results(hurt=0, suites=2)).met  # 400 questions: 0.95
    assert not claims.no_harm(results(hurt=0, suites=1)).met  # 200 questions: 1.88


@pytest.mark.parametrize(
    ("plain", "guard", "met"), [(184, 198, True), (183, 198, False), (190, 197, False)]
)
def test_distillation_keeps_what_training_gained_and_the_guards(
    plain: int, guard: int, met: bool
) -> None:
    manners = {"suite": "refusal", "group": Group.GUARD}
    before = run(
        arm("ttt", "jargon", 190, group=Group.SHIFTED),
        outcomes("greedy", first(200), **manners),
    )
    after = run(
        arm("greedy", "jargon", plain, group=Group.SHIFTED),
        arm("one", "jargon", plain, group=Group.SHIFTED),
        outcomes("greedy", first(guard), **manners),
    )
    assert claims.distillation(before, after, "jargon").met is met
