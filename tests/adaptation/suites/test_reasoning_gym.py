"""reasoning-gym's families as suites, judged by their own scorers."""

from __future__ import annotations

import gc
import inspect
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from adaptation.evaluation.suites import MissingPackageError, UnknownSuiteError, suite_named
from adaptation.evaluation.suites.errors import ScorerError, TooFewQuestionsError
from adaptation.evaluation.suites.inert import EVALUATED, EXPANDED, MAX_ANSWER_CHARS, may_be_scored
from adaptation.evaluation.suites.reasoning_gym import (
    CLOSING,
    Posed,
    ReasoningGym,
    data_set,
    families,
    readings,
    suite_of,
)
from adaptation.evaluation.suites.scorer import Scorer, Source
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.evaluation.suites.suite import Group

pytest.importorskip("reasoning_gym", reason="whet[eval] is not installed")

FAMILIES = (
    ("chain_sum", 1),
    ("countdown", 1),
    ("simple_equations", 1),
    ("spell_backward", 2),
    ("simple_integration", 1),  # judged by differentiating
    ("n_queens", 2),  # an answer of several lines
    ("gsm_symbolic", 1),  # no curriculum, and no entry beyond the data set's size
    ("graph_color", 2),  # any colouring that fits is right
)


HOSTILE = (
    ("coin_flip", "1e999999999"),  # ten to that power is written out
    ("rubiks_cube", "U999999999"),  # a list of as many turns
    ("rush_hour", "A+9999999999"),  # as many steps
    ("propositional_logic", "∧".join("abcdefghijklmnopqrstuvwxyz")),  # 2**26 assignments
    ("simple_integration", "((((9**99)**99)**99)**99)**99"),
    ("intermediate_integration", "(a+b+c+d+e+f+g+h+i+j)**99"),
)
"""Answers that their scorers would be at for hours, or until memory is exhausted."""


class Raising(Scorer):
    """As a family's own that fails at every answer."""

    def score(self, source: Source, number: int, answer: str) -> float:
        raise ScorerError("KeyError: 'answer'")


LIMIT_S = 1.0
"""More than a harmless answer takes; it is waited for in full with each that is not."""

SuiteOf = Callable[[str], ReasoningGym]


@pytest.fixture(scope="module")
def suite_for(scorer: Scorer) -> SuiteOf:
    """Suites by family, each probed once."""
    return cache(partial(suite_of, scorer=scorer))


@pytest.fixture(scope="module")
def hasty() -> Iterator[Scorer]:
    """With a short limit, which an answer that is refused does not even need."""
    scorer = Scorer(time_limit_s=LIMIT_S)
    yield scorer
    scorer.close()


@pytest.fixture(scope="module")
def hastiest() -> Iterator[Scorer]:
    """For answers that are cut off whatever the limit."""
    scorer = Scorer(time_limit_s=LIMIT_S / 5)
    yield scorer
    scorer.close()


def unprobed(family: str, scorer: Scorer) -> ReasoningGym:
    """Even a family that is refused keeps to its time limit."""
    return ReasoningGym(family, range(1, 2), scorer=scorer)


def posed(suite: ReasoningGym, number: int = 0) -> Posed:
    """A question of whatever split: some families have hardly any of one."""
    return suite.posed(Source(suite.family, 1, seed=0), number)


def drawn(
    suite: ReasoningGym,
    n: int = 5,
    *,
    level: int = 1,
    split: Split = Split.EVALUATION,
    seed: int = 0,
) -> list[Solved]:
    return suite.problems(n, split=split, seed=seed, level=level)


def entry_of(problem: Posed) -> Any:
    return data_set(problem.source)[problem.number]


@pytest.mark.parametrize(("family", "level"), FAMILIES)
def test_a_family_accepts_its_references_and_nothing_else(
    family: str, level: int, suite_for: SuiteOf
) -> None:
    suite = suite_for(family)
    problems = drawn(suite, level=level)
    assert all(suite.verify(problem, problem.rationale) for problem in problems)
    assert all(suite.verify(problem, f"Let me see.\n{problem.rationale}") for problem in problems)
    assert all(suite.verify(problem, problem.answer) for problem in problems)
    wrong = ("", "#### ", "#### 987654321", "I do not know.", "#### {}")
    assert not any(suite.verify(problem, reply) for problem in problems for reply in wrong)


@pytest.mark.parametrize(("family", "level"), FAMILIES)
def test_questions_are_seeded_distinct_and_of_their_split(
    family: str, level: int, suite_for: SuiteOf
) -> None:
    suite = suite_for(family)
    first = drawn(suite, 3, level=level, seed=1)
    assert first == drawn(suite, 3, level=level, seed=1)
    assert first != drawn(suite, 3, level=level, seed=2)
    assert len({problem.question for problem in first}) == 3
    assert {split_of(problem.question) for problem in first} == {Split.EVALUATION}
    memory = drawn(suite, 3, level=level, split=Split.MEMORY, seed=1)
    assert {split_of(problem.question) for problem in memory} == {Split.MEMORY}


def test_more_questions_than_a_data_set_holds_can_be_drawn(suite_for: SuiteOf) -> None:
    assert len({problem.question for problem in drawn(suite_for("gsm_symbolic"), 60)}) == 60


def test_a_suite_tells_what_it_is(suite_for: SuiteOf) -> None:
    suite = suite_for("chain_sum")
    assert (suite.name, suite.group, suite.worlds) == ("rg:chain_sum", Group.EXTERNAL, 0)
    assert suite.default_level in suite.levels
    assert {problem.task for problem in drawn(suite)} == {"rg:chain_sum"}


def test_a_question_says_once_where_the_answer_stands(suite_for: SuiteOf) -> None:
    for problem in drawn(suite_for("chain_sum")):
        assert problem.question.endswith(CLOSING)
        assert problem.question.count("####") == 1


def test_levels_are_the_curriculums_and_one_without_a_curriculum(
    suite_for: SuiteOf,
) -> None:
    sums = suite_for("chain_sum")
    easy, hard = (
        sum(len(problem.question) for problem in drawn(sums, level=level))
        for level in (1, sums.levels[-1])
    )
    assert hard > easy
    assert suite_for("gsm_symbolic").levels == range(1, 2)


def test_a_level_that_its_curriculum_cannot_make_is_told(suite_for: SuiteOf) -> None:
    with pytest.raises(TooFewQuestionsError, match=r"level 1 of knight_swap: min_nodes"):
        suite_for("knight_swap")


def test_the_answer_is_read_at_its_mark_or_else_from_the_whole_reply() -> None:
    assert readings("4 + 3 = 7\n#### 7") == ["7"]
    assert readings("<think>#### 8</think>\n#### **7**.") == ["**7**.", "7"]
    assert readings("#### Q _\n_ Q") == ["Q _\n_ Q", "Q _"]
    assert readings("So the answer is 7.") == ["7"]
    assert readings(" two words \n") == ["two words"]


def test_a_partial_score_is_not_right(suite_for: SuiteOf) -> None:
    suite = suite_for("chain_sum")
    problem = posed(suite)
    reply = f"#### {problem.answer} or so"
    assert 0 < data_set(problem.source).score_answer(readings(reply)[0], entry_of(problem)) < 1
    assert not suite.verify(problem, reply)


def test_a_scorer_that_raises_on_an_ill_formed_answer_makes_it_wrong(suite_for: SuiteOf) -> None:
    suite = suite_for("prime_factorization")
    problem = posed(suite)
    with pytest.raises(ValueError, match="invalid literal"):
        data_set(problem.source).score_answer("banana", entry_of(problem))
    assert not suite.verify(problem, "#### banana")
    assert suite.verify(problem, problem.rationale)


@pytest.mark.parametrize("reply", ["#### 2 × 3", "#### banana", "{reference}"])
def test_a_scorer_that_raises_on_its_own_reference_is_shown(suite_for: SuiteOf, reply: str) -> None:
    suite = replace(suite_for("prime_factorization"), scorer=Raising())
    problem = posed(suite_for("prime_factorization"))
    with pytest.raises(ScorerError, match="KeyError: 'answer'"):
        suite.verify(problem, reply.format(reference=problem.rationale))


@pytest.mark.parametrize(("family", "answer"), HOSTILE)
def test_a_hostile_answer_is_wrong_within_the_time_limit(
    family: str, answer: str, hasty: Scorer
) -> None:
    suite = unprobed(family, hasty)
    problem = posed(suite)
    of_reference = hasty.score(problem.source, problem.number, problem.answer)
    began = time.monotonic()
    assert not suite.verify(problem, f"#### {answer}")
    assert time.monotonic() - began < 30  # one limit, and a start of the process to ask again
    assert hasty.score(problem.source, problem.number, problem.answer) == of_reference


@pytest.mark.parametrize(("family", "answer"), HOSTILE)
def test_an_answer_that_passes_for_harmless_is_cut_off_all_the_same(
    family: str, answer: str, hastiest: Scorer
) -> None:
    problem = posed(unprobed(family, hastiest))
    try:
        score = hastiest.score(problem.source, problem.number, answer)
    except ScorerError as error:
        assert "ran out of time" in str(error)  # noqa: PT017  (or memory, which scores below 1)
    else:
        assert score < 1


def test_a_scorer_that_has_no_time_for_its_own_reference_is_shown() -> None:
    suite = unprobed("simple_integration", Scorer(time_limit_s=1e-6))
    problem = posed(suite)
    with pytest.raises(ScorerError, match="ran out of time"):
        suite.verify(problem, problem.rationale)


def test_no_process_is_left_of_a_suite_nobody_holds_any_more() -> None:
    suite = suite_of("chain_sum")
    pid = suite.scorer.pid
    assert pid is not None
    assert psutil.pid_exists(pid)
    del suite
    gc.collect()
    assert not psutil.pid_exists(pid)


def test_an_answer_too_long_for_any_reference_is_not_scored() -> None:
    assert may_be_scored("chain_sum", "1" * MAX_ANSWER_CHARS)
    assert not may_be_scored("chain_sum", "1" * (MAX_ANSWER_CHARS + 1))


def test_another_suites_problem_is_refused(suite_for: SuiteOf) -> None:
    with pytest.raises(TypeError, match="its own questions"):
        suite_for("chain_sum").verify(Solved("1 + 1?", "#### 2", "2", "sums"), "#### 2")


def test_every_scorer_that_evaluates_answers_is_guarded() -> None:
    from reasoning_gym.factory import DATASETS

    def whose_scorers_match(pattern: str) -> set[str]:
        scorers = {family: DATASETS[family][0].score_answer for family in families()}
        return {name for name in scorers if re.search(pattern, inspect.getsource(scorers[name]))}

    evaluating = whose_scorers_match(r"(?:\beval|parse_expr|sympify|\bexec)\(\s*\w*answer")
    assert evaluating - {"number_sorting"} == set(EVALUATED)  # that one evaluates its reference
    assert whose_scorers_match(r"Fraction\(|expand_moves\(|perform_moves\(") == set(EXPANDED)


@pytest.mark.parametrize("family", sorted({*EVALUATED, *EXPANDED} - {"n_queens"}))
def test_guarded_scorers_get_every_right_answer(family: str, hasty: Scorer) -> None:
    suite = unprobed(family, hasty)
    answers = [posed(suite, number).answer for number in range(8)]
    assert all(may_be_scored(family, answer) for answer in answers)


@pytest.mark.parametrize("family", EVALUATED)
def test_an_answer_that_would_run_as_code_never_reaches_its_scorer(
    family: str, tmp_path: Path, hasty: Scorer
) -> None:
    suite = unprobed(family, hasty)
    (problem,) = drawn(suite, 1, level=2 if family == "n_queens" else 1)
    trace = tmp_path / "trace"
    code = f"__import__('pathlib').Path('{trace}').touch()"
    assert not suite.verify(problem, f"#### {code}")
    assert not suite.verify(problem, code)
    assert not trace.exists()


@pytest.mark.parametrize(
    "answer",
    [
        "9**9**9",
        "9**(9**9)",
        "2**9999",
        "9**(99*99*99)",
        "((((9**99)**99)**99)**99)**99",
        "(((9**9)**9)**9)**9",
        "((9**99) ** (9 + 9 + 9 + 9))",
        "(a+b+c+d+e+f+g+h+i+j)**99",
        "sin(" * 30 + "x" + ")" * 30,
        "x.real",
        "open(x)",
        "sin('x')",
        "x**(breakpoint)()",
    ],
)
def test_an_answer_that_could_run_for_hours_or_call_anything_is_not_scored(answer: str) -> None:
    assert not any(may_be_scored(family, answer) for family in EVALUATED)


@pytest.mark.parametrize(
    "answer",
    [
        "-4*(-2*x - 8)**(3/2)/3 + C",
        "E**(2*x)",
        "x**2*sin(x) - 0.5*exp(-x)",
        "3*y**12",
        "(x**2 + 3)**(5/2)*(x + 1)**-2",
        "2*((x + 1)**2)**3",
    ],
)
def test_an_ordinary_formula_is_scored(answer: str) -> None:
    assert may_be_scored("simple_integration", answer)


def test_an_unknown_family_is_refused_with_those_alike_and_the_way_to_list_them() -> None:
    with pytest.raises(UnknownSuiteError, match=r"did you mean rg:chain_sum.*families\(\)"):
        suite_named("rg:chain_sums")
    with pytest.raises(UnknownSuiteError, match="no family 'composite'"):
        suite_named("rg:composite")  # a mixture that needs to be told of what


def test_an_unknown_suite_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownSuiteError, match=r"stories.*rg:FAMILY"):
        suite_named("storys")
    assert suite_named("stories").name == "stories"


def test_a_missing_package_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(MissingPackageError, match=r'pip install "whet\[gym\]"'):
        suite_named("rg:chain_sum")
