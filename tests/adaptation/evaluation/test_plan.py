"""What a run asks: spread over worlds, drawn from the right split, known by a hash."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adaptation.evaluation.plan import Plan, make_plan
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.errors import TooFewQuestionsError
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.evaluation.suites.suite import WORLD_SEEDS


def plan_of(names: Sequence[str], questions: int = 20, seed: int = 0, **more: Split) -> Plan:
    suites = [SUITES[name] for name in names]
    levels = {suite.name: suite.default_level for suite in suites}
    return make_plan(suites, questions=questions, examples=8, seed=seed, levels=levels, **more)


def test_questions_are_spread_evenly_over_the_worlds_of_a_suite() -> None:
    plan = plan_of(["jargon"])
    assert [len(world.problems) for world in plan.worlds] == [4, 4, 3, 3, 3, 3]
    assert len({world.world for world in plan.worlds}) == 6
    assert all(len(world.examples) == 8 for world in plan.worlds)


def test_fewer_questions_than_worlds_need_fewer_worlds() -> None:
    assert [len(world.problems) for world in plan_of(["facts"], questions=2).worlds] == [1, 1]


def test_a_suite_without_worlds_asks_all_at_once() -> None:
    assert [len(world.problems) for world in plan_of(["stories"]).worlds] == [20]


@pytest.mark.parametrize("split", [Split.EVALUATION, Split.DEVELOPMENT])
def test_questions_worlds_and_examples_come_from_their_own_splits(split: Split) -> None:
    for world in plan_of(list(SUITES), split=split).worlds:
        assert {split_of(p.question) for p in world.problems} == {split}
        assert {split_of(e.question) for e in world.examples} == {Split.MEMORY}
        assert world.suite.worlds == 0 or world.world in WORLD_SEEDS[split]


def test_the_data_version_changes_with_the_questions_and_with_nothing_else() -> None:
    both = plan_of(["stories", "jargon"]).data_version()
    assert plan_of(["jargon"]).data_version() == {"jargon": both["jargon"]}
    assert plan_of(["jargon"], seed=1).data_version()["jargon"] != both["jargon"]


def test_a_suite_that_has_not_as_many_questions_says_how_many_it_has() -> None:
    with pytest.raises(TooFewQuestionsError, match=r"has only about \d+ evaluation questions"):
        plan_of(["facts"], questions=20_000)
