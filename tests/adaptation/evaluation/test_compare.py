"""What is said of two runs: differences on the same questions, and what was measured otherwise."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptation.evaluation.compare import HeaderDifference, compare
from adaptation.evaluation.results import Results
from tests.adaptation.evaluation.made_up import header, outcomes, realistic, run, trial


def test_the_second_run_is_held_against_the_first() -> None:
    first = run(outcomes("one", [True, False, False, False], generated_tokens=10))
    second = run(outcomes("one", [False, True, True, False], generated_tokens=15))
    (change,) = compare(first, second).suites
    found = change.contrast
    assert (change.name, change.arm, found.pairs) == ("units", "one", 4)
    assert (found.first, found.second, found.difference.value) == (0.25, 0.5, 0.25)
    assert (found.helped, found.hurt, found.p_value) == (2, 1, 1.0)
    assert found.tokens.value == 1.5


def test_a_question_that_reads_otherwise_is_not_compared_but_counted() -> None:
    first = run(outcomes("one", [False, False, False]))
    second = run([trial(0, True), trial(1, True, question="another?"), trial(5), trial(6)])
    (change,) = compare(first, second).suites
    assert (change.contrast.pairs, change.contrast.helped) == (1, 1)
    assert (change.reworded, change.only_first, change.only_second) == (1, 1, 2)


def test_nothing_in_common_is_said_and_has_no_figures() -> None:
    first = run(outcomes("one", [True]))
    second = run([trial(0, True, question="another?")])
    (change,) = compare(first, second).suites
    assert change.contrast.pairs == 0
    assert math.isnan(change.contrast.difference.value)
    assert not change.contrast.no_harm


def test_arms_and_suites_of_one_run_alone_are_named() -> None:
    first = run(outcomes("one", [True]), outcomes("vote", [True]))
    second = run(outcomes("one", [True]), outcomes("one", [True], suite="lists"))
    found = compare(first, second)
    assert found.missing_in_second == (("units", "vote"),)
    assert found.missing_in_first == (("lists", "one"),)
    assert [(change.name, change.arm) for change in found.suites] == [("units", "one")]


def test_what_was_measured_otherwise_is_named_with_both_values() -> None:
    first = run(outcomes("one", [True]))
    second = run(outcomes("one", [True]), adapter="ann-3", levels={"units": 3})
    assert compare(first, second).headers == (
        HeaderDifference("adapter", None, "ann-3"),
        HeaderDifference("levels.units", 2, 3),
    )


def test_suites_whose_data_are_of_another_version_are_named() -> None:
    data = {**header().data_version, "units": "units-2", "brand_new": "1"}
    found = compare(run(outcomes("one", [True])), run(outcomes("one", [True]), data_version=data))
    assert found.other_data == ("units",)


def test_equal_runs_differ_in_nothing() -> None:
    results = realistic(questions=3)
    found = compare(results, results)
    assert found.headers == found.other_data == ()
    for change in (*found.suites, *found.groups):
        difference = change.contrast.difference
        assert difference.value == 0.0
        assert difference.low == -difference.high < -0.05  # few questions show little
        assert change.contrast.p_value == 1.0
        assert not change.contrast.no_harm


def test_questions_of_one_world_are_not_taken_for_independent() -> None:
    def answered(rights: list[bool]) -> Results:
        places = enumerate(rights)
        return run([trial(n % 20, right, world=n // 20, suite="jargon") for n, right in places])

    before = answered([False] * 80)
    worlds = answered(([True] * 20 + [False] * 20) * 2)
    mixed = answered([True, False] * 40)
    found = [compare(before, after).suites[0].contrast for after in (worlds, mixed)]
    clustered, even = (each.difference.high - each.difference.low for each in found)
    assert found[0].difference.value == found[1].difference.value == 0.5
    assert found[0].p_value == found[1].p_value
    assert clustered > 2 * even


def test_groups_pool_the_suites_that_both_runs_have() -> None:
    first = run(
        outcomes("one", [True, False]),
        outcomes("one", [False, False], suite="lists"),
        outcomes("one", [False] * 9, suite="orders"),
    )
    second = run(outcomes("one", [True, True]), outcomes("one", [True, False], suite="lists"))
    (group,) = compare(first, second).groups
    assert (group.name, group.contrast.pairs, group.contrast.helped) == ("in distribution", 4, 2)
    assert group.only_first == 0


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=30))
def test_the_other_way_round_everything_turns(pairs: list[tuple[bool, bool]]) -> None:
    first, second = (run(outcomes("one", [pair[side] for pair in pairs])) for side in (0, 1))
    there, back = (compare(*runs).suites[0].contrast for runs in ((first, second), (second, first)))
    assert there.difference.value == -back.difference.value
    assert (there.helped, there.hurt, there.p_value) == (back.hurt, back.helped, back.p_value)
    assert there.difference.low <= there.difference.value <= there.difference.high
    assert there.difference.low == pytest.approx(-back.difference.high, abs=2.5 / len(pairs))


def test_a_comparison_is_json_without_nan() -> None:
    found = compare(realistic(questions=2), realistic(questions=2, seed=2)).as_json()
    text = json.loads(json.dumps(found, allow_nan=False))
    assert {"headers", "other_data", "suites", "groups"} <= text.keys()
