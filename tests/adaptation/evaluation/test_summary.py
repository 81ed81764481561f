"""What is said of one run: figures, rivals, errors."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptation.evaluation.contrast import match
from adaptation.evaluation.errors import EvaluationError
from adaptation.evaluation.results import Results
from adaptation.evaluation.suites.suite import Group
from adaptation.evaluation.summary import ArmSummary, Section, Summary, summarise
from adaptation.evaluation.trial import Trial
from adaptation.statistics import Interval
from tests.adaptation.evaluation.made_up import (
    ARMS,
    header,
    outcomes,
    realistic,
    refused,
    run,
    trial,
)

RIGHTS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


def arm_of(section: Section, name: str) -> ArmSummary:
    return next(arm for arm in section.arms if arm.arm == name)


def suite_of(summary: Summary, name: str) -> Section:
    return next(section for section in summary.suites if section.name == name)


def test_an_arm_has_its_share_with_wilsons_interval() -> None:
    found = summarise(run(outcomes("one", [True] * 8 + [False] * 2))).suites[0].arms[0]
    assert (found.n, found.right.value) == (10, 0.8)
    assert (round(found.right.low, 3), round(found.right.high, 3)) == (0.490, 0.943)


def test_an_arm_is_held_against_the_baseline_question_by_question() -> None:
    before = [True, True, False, False, False, False]
    after = [True, False, True, True, True, False]
    results = run(outcomes("consistency", before), outcomes("ttt", after, generated_tokens=25))
    suite = summarise(results).suites[0]
    against = arm_of(suite, "ttt").against
    assert against is not None
    assert (against.pairs, against.helped, against.hurt) == (6, 3, 1)
    assert against.difference.value == pytest.approx(2 / 6)
    assert against.p_value == pytest.approx(0.625)  # 2 · (4 + 1) / 2⁴
    assert against.tokens.value == against.tokens.low == 2.5
    assert arm_of(suite, "consistency").against is None


def test_the_order_of_trials_does_not_matter_to_the_pairs() -> None:
    before, after = outcomes("one", [True, False, True]), outcomes("ttt", [True, True, False])
    straight = summarise(run(before, after)).suites[0].arms[1].against
    turned = summarise(run(before, after[::-1])).suites[0].arms[1].against
    assert straight == turned


def test_only_questions_that_both_were_asked_are_pairs() -> None:
    asked_twice = outcomes("one", [False, False, True], world=3)
    elsewhere = [trial(7, True, arm="ttt", world=3), trial(0, True, arm="ttt", world=4)]
    results = run(asked_twice, [trial(0, True, arm="ttt", world=3), *elsewhere])
    found = arm_of(summarise(results).suites[0], "ttt")
    assert found.n == 3
    assert found.against is not None
    assert (found.against.pairs, found.against.helped) == (1, 1)
    assert found.against.difference == found.against.score
    assert not found.against.no_harm


@pytest.mark.parametrize("part", [{"suite": "lists"}, {"level": 3}, {"world": 1}, {"number": 1}])
def test_questions_of_another_suite_level_world_or_number_are_no_pair(part: dict[str, Any]) -> None:
    assert match([trial()], [trial(arm="ttt")]) == [(trial(), trial(arm="ttt"))]
    assert match([trial()], [trial(arm="ttt", **part)]) == []


@pytest.mark.parametrize(
    ("arms", "wanted", "baseline"),
    [
        (["one", "vote", "consistency"], None, "consistency"),
        (["vote", "one"], None, "one"),
        (["vote", "plain"], None, "vote"),
        (["one", "consistency"], "one", "one"),
    ],
)
def test_the_baseline_is_consistency_then_one_then_whatever_was_first(
    arms: list[str], wanted: str | None, baseline: str
) -> None:
    assert summarise(run(*(outcomes(arm, [True]) for arm in arms)), wanted).baseline == baseline


def test_a_baseline_that_was_not_measured_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"'ttt' was not measured, but one"):
        summarise(run(outcomes("one", [True])), "ttt")


def test_a_run_of_nothing_is_refused() -> None:
    with pytest.raises(EvaluationError, match="nothing is measured"):
        summarise(Results(header()))


def test_errors_are_counted_shown_and_wrong() -> None:
    raised = "verifier raised KeyError: 'unit'"
    trials = [
        trial(0, True),
        trial(1, False, error=raised),
        trial(2, False, error=raised),
        refused(3),
    ]
    results = run(trials, [trial(1, False, arm="vote", error=raised)])
    summary = summarise(results)
    arm = arm_of(summary.suites[0], "one")
    assert (arm.n, arm.right.value) == (4, 0.25)
    assert (arm.verifier_errors, arm.request_errors, arm.errors) == (2, 1, 3)
    first, second = summary.errors
    assert (first.kind, first.text, first.arms, first.count) == (
        "verifier", raised, ("one", "vote"), 3,
    )  # fmt: skip
    assert (second.kind, second.count) == ("request", 1)


def test_a_failed_request_makes_no_arm_cheaper() -> None:
    failed = refused(1)
    base = outcomes("consistency", [True, True], generated_tokens=100)
    found = arm_of(summarise(run([trial(0, True), failed], base)).suites[0], "one")
    assert (found.generated_tokens, found.seconds.value) == (10.0, 0.5)
    assert found.against is not None
    assert found.against.tokens.value == pytest.approx(0.1)


def test_an_arm_whose_requests_all_failed_has_no_cost() -> None:
    found = summarise(run([refused()])).suites[0].arms[0]
    assert math.isnan(found.generated_tokens)
    assert math.isnan(found.seconds.value)


def test_samples_that_were_seen_give_pass_at_k_and_the_accuracy_of_one() -> None:
    trials = [
        trial(0, True, any_right=True, share_right=0.75),
        trial(1, False, any_right=True, share_right=0.25),
        trial(2, False),
    ]
    found = summarise(run(trials)).suites[0].arms[0]
    assert found.sampled == 2
    assert found.any_right is not None
    assert found.any_right.value == 1.0
    assert found.share_right == 0.5
    unseen = summarise(run(outcomes("one", [True]))).suites[0].arms[0]
    assert (unseen.any_right, unseen.share_right) == (None, None)


def test_costs_are_the_mean_of_tokens_and_the_median_of_seconds() -> None:
    trials = [
        trial(number, generated_tokens=tokens, training_tokens=100, seconds=seconds)
        for number, (tokens, seconds) in enumerate([(10, 1.0), (20, 2.0), (60, 9.0)])
    ]
    found = summarise(run(trials)).suites[0].arms[0]
    assert (found.generated_tokens, found.generated_total, found.training_total) == (30, 90, 300)
    assert vars(found.seconds) == {"value": 2.0, "low": 1.5, "high": 5.5}


def test_fallbacks_are_counted_by_the_kind_of_reason() -> None:
    reasons = ["no neighbour", None, "rose by 0.12 > 0.1", "no neighbour", "rose by 0.2 > 0.1"]
    trials = [trial(n, arm="ttt", fallback=reason) for n, reason in enumerate(reasons)]
    summary = summarise(run(trials))
    assert summary.suites[0].arms[0].fallbacks == {"no neighbour": 2, "rose by … > 0.1": 2}
    assert [(f.arm, f.reason, f.count) for f in summary.fallbacks] == [
        ("ttt", "no neighbour", 2),
        ("ttt", "rose by … > 0.1", 2),
    ]


def test_a_group_pools_its_suites_and_pairs_within_them() -> None:
    results = run(
        outcomes("one", [True, False], suite="units"),
        outcomes("vote", [False, True], suite="units"),
        outcomes("one", [False, False], suite="lists"),
        outcomes("vote", [True, True], suite="lists"),
        outcomes("one", [True], suite="facts", group=Group.SHIFTED),
    )
    inside, shifted = summarise(results).groups
    assert (inside.name, inside.suites) == ("in distribution", ("units", "lists"))
    against = arm_of(inside, "vote").against
    assert against is not None
    assert (against.pairs, against.helped, against.hurt) == (4, 3, 1)
    assert (shifted.name, len(shifted.arms)) == ("shifted", 1)


@pytest.mark.parametrize(("questions", "ruled_out"), [(100, False), (2000, True)])
def test_ruling_harm_out_takes_many_questions(questions: int, ruled_out: bool) -> None:
    flipped = questions // 100
    before = [True] * flipped + [False] * (questions - flipped)
    found = summarise(run(outcomes("one", before), outcomes("ttt", before[::-1])))
    against = arm_of(found.groups[0], "ttt").against
    assert against is not None
    assert (against.helped, against.hurt, against.difference.value) == (flipped, flipped, 0.0)
    assert against.no_harm is ruled_out


@pytest.mark.parametrize(
    ("questions", "low", "ruled_out"),
    [(2, -0.658, False), (48, -0.0741, False), (300, -0.0126, False), (400, -0.0095, True)],
)
def test_a_few_equal_questions_show_no_harmlessness(
    questions: int, low: float, ruled_out: bool
) -> None:
    rights = [True] * questions
    found = summarise(run(outcomes("one", rights), outcomes("ttt", rights)))
    against = arm_of(found.suites[0], "ttt").against
    assert against is not None
    assert against.difference.value == 0.0
    assert against.difference.low == pytest.approx(low, rel=0.01)
    assert against.difference.high == -against.difference.low
    assert against.no_harm is ruled_out


def test_one_flip_among_many_does_not_rule_out_harm_though_the_bootstrap_would() -> None:
    before = [True] * 300
    results = run(outcomes("one", before), outcomes("ttt", [False, *before[1:]]))
    against = arm_of(summarise(results).suites[0], "ttt").against
    assert against is not None
    assert against.difference.low >= -0.0101  # Poisson: 97.5 % of resamples hold it thrice at most
    assert against.score.low < -0.018
    assert not against.no_harm


def of_worlds(arm: str, share_of_world: Sequence[float], **fields: Any) -> list[Trial]:
    """Fifty questions of each world, such shares of them right."""
    return [
        trial(number, number < 50 * share, arm=arm, world=world, group=Group.SHIFTED, **fields)
        for world, share in enumerate(share_of_world)
        for number in range(50)
    ]


def difference_of(section: Section) -> Interval:
    against = arm_of(section, "ttt").against
    assert against is not None
    return against.difference


def test_questions_of_one_world_are_not_taken_for_independent() -> None:
    learned = (1.0, 0.0, 1.0, 0.0, 1.0, 0.0)
    apart = run(of_worlds("one", [0.0] * 6), of_worlds("ttt", learned))
    mixed = run(of_worlds("one", [0.0] * 6), of_worlds("ttt", [0.5] * 6))
    clustered, even = (difference_of(summarise(each).suites[0]) for each in (apart, mixed))
    assert clustered.value == even.value == 0.5
    assert clustered.high - clustered.low > 4 * (even.high - even.low)
    tokens = [t.model_copy(update={"generated_tokens": 10 + 90 * t.right}) for t in apart.trials]
    spent = arm_of(summarise(run(tokens)).suites[0], "ttt").against
    assert spent is not None
    assert spent.tokens.high - spent.tokens.low > 4  # of 5.5 times: by worlds 1.5 to 9 or so


def test_a_group_resamples_worlds_within_their_suites() -> None:
    learned = (1.0, 0.0, 1.0, 0.0, 1.0, 0.0)
    suites = ("jargon", "facts", "house_rules", "house_format")
    results = run(
        *(of_worlds("one", [0.0] * 6, suite=suite) for suite in suites),
        *(of_worlds("ttt", learned, suite=suite) for suite in suites),
    )
    found = difference_of(summarise(results).groups[0])
    deviation = math.sqrt(0.5 * 0.5 / 24)  # of the mean of 24 worlds, each all or nothing
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.15)


def test_what_suites_differ_in_is_no_spread_of_their_group() -> None:
    gains = {"units": [True] * 100, "lists": [False] * 100, "stories": [True, False] * 50}
    results = run(
        *(outcomes("one", [False] * 100, suite=suite) for suite in gains),
        *(outcomes("ttt", rights, suite=suite) for suite, rights in gains.items()),
    )
    found = difference_of(summarise(results).groups[0])
    deviation = math.sqrt(100 * 0.25) / 300  # only the stories are of both kinds
    assert found.value == 0.5
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.15)


@settings(max_examples=50)
@given(RIGHTS)
def test_changing_places_with_the_baseline_turns_the_difference(
    pairs: list[tuple[bool, bool]],
) -> None:
    results = run(outcomes("one", [a for a, _ in pairs]), outcomes("ttt", [b for _, b in pairs]))
    there = arm_of(summarise(results, "one").suites[0], "ttt").against
    back = arm_of(summarise(results, "ttt").suites[0], "one").against
    assert there is not None
    assert back is not None
    assert there.difference.value == -back.difference.value
    assert (there.helped, there.hurt, there.p_value) == (back.hurt, back.helped, back.p_value)
    assert there.helped - there.hurt == round(there.difference.value * len(pairs))


def test_a_summary_is_json_without_nan_and_the_same_each_time() -> None:
    results = realistic(questions=4)
    found = summarise(results).as_json()
    text = json.dumps(found, allow_nan=False)
    assert json.dumps(summarise(results).as_json()) == text
    assert found["header"]["model"] == "whet-pebble"
    assert [group["name"] for group in found["groups"]] == ["in distribution", "shifted", "guard"]
    assert len(found["suites"]) == 14
    assert [arm["arm"] for arm in found["suites"][0]["arms"]] == list(ARMS)
    assert found["suites"][0]["arms"][0]["against"]["difference"].keys() == {
        "value", "low", "high",
    }  # fmt: skip


def test_suites_stand_in_the_order_of_their_groups() -> None:
    results = run(
        outcomes("one", [True], suite="refusal", group=Group.GUARD),
        outcomes("one", [True], suite="units"),
    )
    summary = summarise(results)
    assert [section.name for section in summary.suites] == ["units", "refusal"]
    assert suite_of(summary, "refusal").group is Group.GUARD
