"""What every suite promises at every level: true solutions, verifiers that can say no, seeds."""

import re
from functools import cache

import pytest

from adaptation.evaluation.suites import SUITES, Suite
from adaptation.evaluation.suites.errors import TooFewQuestionsError
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.evaluation.suites.suite import Group
from memory.identity.answers import extract
from memory.lines.calls import calls_in

WORLD = 3
at_every_level = pytest.mark.parametrize(
    ("suite", "level"),
    [
        pytest.param(suite, level, id=f"{name}-{level}")
        for name, suite in SUITES.items()
        for level in suite.levels
    ],
)
SMALL = ("countdown", "units", "equations", "jargon", "house_rules", "house_format", "facts")
"""Suites whose first level has fewer than a thousand questions of a split."""


@cache
def drawn(suite: Suite, level: int, split: Split = Split.EVALUATION, seed: int = 0) -> list[Solved]:
    """Twelve questions; a price list's first level has but forty in all splits together."""
    n = 2 if (suite.name, level) == ("facts", 1) else 12
    return suite.problems(n, split=split, seed=seed, level=level, world=WORLD)


@at_every_level
def test_the_worked_solution_passes_its_own_verifier(suite: Suite, level: int) -> None:
    for problem in drawn(suite, level):
        assert suite.verify(problem, problem.rationale), problem


@at_every_level
def test_the_solution_of_a_question_with_another_answer_fails(suite: Suite, level: int) -> None:
    problems = drawn(suite, level)
    others = [*problems, *drawn(SUITES["lists"], 4)]
    pairs = [(one, other) for one in problems for other in others if one.answer != other.answer]
    assert {one.question for one, _ in pairs} == {problem.question for problem in problems}
    for problem, other in pairs:
        assert not suite.verify(problem, other.rationale), (problem, other)


@at_every_level
def test_a_reply_without_an_answer_fails_and_so_does_a_wrong_number(
    suite: Suite, level: int
) -> None:
    for problem in drawn(suite, level):
        for reply in ("", "Let me see.", "####", "#### 123456"):
            assert not suite.verify(problem, reply), (problem, reply)


@at_every_level
def test_a_seed_repeats_its_problems_and_another_draws_others(suite: Suite, level: int) -> None:
    assert drawn(suite, level) == drawn.__wrapped__(suite, level)
    assert any(drawn(suite, level) != drawn(suite, level, seed=seed) for seed in (1, 2, 3))


@at_every_level
def test_problems_are_distinct_and_of_the_split_asked_for(suite: Suite, level: int) -> None:
    for split in Split:
        problems = drawn(suite, level, split)
        assert len({problem.question for problem in problems}) == len(problems)
        assert {split_of(problem.question) for problem in problems} == {split}


@at_every_level
def test_a_task_is_named_after_its_suite_and_its_world(suite: Suite, level: int) -> None:
    name = f"{suite.name}/{WORLD}" if suite.worlds else suite.name
    assert {problem.task for problem in drawn(suite, level)} == {name}


@at_every_level
def test_a_vote_reads_the_answer_out_of_the_worked_solution(suite: Suite, level: int) -> None:
    for problem in drawn(suite, level):
        if suite.answer.kind == "tool":  # which the engine's parser reads
            assert calls_in(problem.rationale)
            continue
        found = extract(problem.rationale, suite.answer)
        assert found is not None
        if suite.group is not Group.GUARD:
            assert (found.structured, found.text) == (True, problem.answer)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("split", Split)
def test_asking_for_more_questions_than_there_are_says_how_many_there_are(
    name: str, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "adaptation.evaluation.suites.split.DRAWS_PER_PROBLEM", 400
    )  # it gives up sooner
    suite, wanted = SUITES[name], 4_000
    with pytest.raises(TooFewQuestionsError, match=f"{wanted} were asked for") as refusal:
        suite.problems(wanted, split=split, seed=0, level=1, world=WORLD)
    said = re.match(r"(\S+) has only about (\d+) (\w+) questions", str(refusal.value))
    assert said is not None
    assert said[1].partition("/")[0] == name
    assert said[3] == split.name.lower()
    there = suite.problems(int(said[2]), split=split, seed=0, level=1, world=WORLD)
    assert len(there) == int(said[2])


def test_the_registry_knows_every_suite_by_its_own_name() -> None:
    assert {name: suite.name for name, suite in SUITES.items()} == {name: name for name in SUITES}


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_levels_begin_at_one_and_only_shifted_suites_have_worlds(suite: Suite) -> None:
    assert suite.levels[0] == 1
    assert suite.default_level in suite.levels
    assert (suite.worlds > 0) is (suite.group is Group.SHIFTED)
