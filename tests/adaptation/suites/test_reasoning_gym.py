"""reasoning-gym's families as suites, judged by their own scorers."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

from adaptation.suites import MissingPackageError, UnknownSuiteError, suite_named
from adaptation.suites.inert import EVALUATED, may_be_scored
from adaptation.suites.reasoning_gym import CLOSING, Posed, families, readings
from adaptation.suites.solved import Solved
from adaptation.suites.errors import TooFewQuestionsError
from adaptation.suites.split import Split, split_of
from adaptation.suites.suite import Group

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


def drawn(
    family: str, n: int = 5, *, level: int = 1, split: Split = Split.EVALUATION, seed: int = 0
) -> list[Solved]:
    return suite_named(f"rg:{family}").problems(n, split=split, seed=seed, level=level)


@pytest.mark.parametrize(("family", "level"), FAMILIES)
def test_a_family_accepts_its_references_and_nothing_else(family: str, level: int) -> None:
    suite, problems = suite_named(f"rg:{family}"), drawn(family, level=level)
    assert all(suite.verify(problem, problem.rationale) for problem in problems)
    assert all(suite.verify(problem, f"Let me see.\n{problem.rationale}") for problem in problems)
    assert all(suite.verify(problem, problem.answer) for problem in problems)
    wrong = ("", "#### ", "#### 987654321", "I do not know.", "#### {}")
    assert not any(suite.verify(problem, reply) for problem in problems for reply in wrong)


@pytest.mark.parametrize(("family", "level"), FAMILIES)
def test_questions_are_seeded_distinct_and_of_their_split(family: str, level: int) -> None:
    first = drawn(family, level=level, seed=1)
    assert first == drawn(family, level=level, seed=1)
    assert first != drawn(family, level=level, seed=2)
    assert len({problem.question for problem in first}) == 5
    assert {split_of(problem.question) for problem in first} == {Split.EVALUATION}
    memory = drawn(family, level=level, split=Split.MEMORY, seed=1)
    assert {split_of(problem.question) for problem in memory} == {Split.MEMORY}


def test_more_questions_than_a_data_set_holds_can_be_drawn() -> None:
    assert len({problem.question for problem in drawn("gsm_symbolic", 60)}) == 60


def test_a_suite_tells_what_it_is() -> None:
    suite = suite_named("rg:chain_sum")
    assert (suite.name, suite.group, suite.worlds) == ("rg:chain_sum", Group.EXTERNAL, 0)
    assert suite.default_level in suite.levels
    assert {problem.task for problem in drawn("chain_sum")} == {"rg:chain_sum"}


def test_a_question_says_once_where_the_answer_stands() -> None:
    for problem in drawn("chain_sum"):
        assert problem.question.endswith(CLOSING)
        assert problem.question.count("####") == 1


def test_levels_are_the_curriculums_and_one_without_a_curriculum() -> None:
    easy, hard = (
        sum(len(problem.question) for problem in drawn("chain_sum", level=level))
        for level in (1, suite_named("rg:chain_sum").levels[-1])
    )
    assert hard > easy
    assert suite_named("rg:gsm_symbolic").levels == range(1, 2)


def test_a_level_that_its_curriculum_cannot_make_is_told() -> None:
    with pytest.raises(TooFewQuestionsError, match=r"level 1 of knight_swap: min_nodes"):
        drawn("knight_swap")


def test_the_answer_is_read_at_its_mark_or_else_from_the_whole_reply() -> None:
    assert readings("4 + 3 = 7\n#### 7") == ["7"]
    assert readings("<think>#### 8</think>\n#### **7**.") == ["**7**.", "7"]
    assert readings("#### Q _\n_ Q") == ["Q _\n_ Q", "Q _"]
    assert readings("So the answer is 7.") == ["7"]
    assert readings(" two words \n") == ["two words"]


def test_a_partial_score_is_not_right() -> None:
    suite, (problem, *_) = suite_named("rg:chain_sum"), drawn("chain_sum")
    assert isinstance(problem, Posed)
    reply = f"#### {problem.answer} or so"
    assert 0 < problem.dataset.score_answer(readings(reply)[0], problem.entry) < 1
    assert not suite.verify(problem, reply)


def test_a_scorer_that_raises_on_an_ill_formed_answer_makes_it_wrong() -> None:
    suite, (problem, *_) = suite_named("rg:prime_factorization"), drawn("prime_factorization")
    assert isinstance(problem, Posed)
    with pytest.raises(ValueError, match="invalid literal"):
        problem.dataset.score_answer("banana", problem.entry)
    assert not suite.verify(problem, "#### banana")


def test_another_suites_problem_is_refused() -> None:
    with pytest.raises(TypeError, match="its own questions"):
        suite_named("rg:chain_sum").verify(Solved("1 + 1?", "#### 2", "2", "sums"), "#### 2")


def test_every_scorer_that_evaluates_answers_is_guarded() -> None:
    from reasoning_gym.factory import DATASETS

    evaluates = re.compile(r"(?:\beval|parse_expr|sympify|\bexec)\(\s*\w*answer")
    found = {
        family
        for family in families()
        if evaluates.search(inspect.getsource(DATASETS[family][0].score_answer))
    }
    assert found - {"number_sorting"} == set(EVALUATED)  # that one evaluates its own reference


@pytest.mark.parametrize("family", [family for family in EVALUATED if family != "n_queens"])
def test_guarded_scorers_get_every_right_answer(family: str) -> None:
    assert all(may_be_scored(family, problem.answer) for problem in drawn(family, 8, level=1))


@pytest.mark.parametrize("family", EVALUATED)
def test_an_answer_that_would_run_as_code_never_reaches_its_scorer(
    family: str, tmp_path: Path
) -> None:
    level = 2 if family == "n_queens" else 1
    suite, (problem,) = suite_named(f"rg:{family}"), drawn(family, 1, level=level)
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
        "x.real",
        "open(x)",
        "sin('x')",
        "x**(breakpoint)()",
    ],
)
def test_an_answer_that_could_run_for_hours_or_call_anything_is_not_scored(answer: str) -> None:
    assert not any(may_be_scored(family, answer) for family in EVALUATED)


@pytest.mark.parametrize(
    "answer", ["-4*(-2*x - 8)**(3/2)/3 + C", "E**(2*x)", "x**2*sin(x) - 0.5*exp(-x)", "3*y**12"]
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
    with pytest.raises(MissingPackageError, match=r'pip install "whet\[eval\]"'):
        suite_named("rg:chain_sum")
