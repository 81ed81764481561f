"""What is said of strategies, from runs that nobody made."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest

from loadtests.bench_strategies import print_rows
from loadtests.measure.strategies import auto_against_best, rows, spent, votes_of
from tests.adaptation.evaluation.made_up import outcomes, run, trial

NONE, HALF, ALL = [0] * 40, [0, 1] * 20, [1] * 40


def test_a_strategy_wins_that_beats_its_baseline_and_as_many_tokens_of_votes() -> None:
    votes = (
        outcomes("one", NONE, generated_tokens=10),
        outcomes("vote", HALF, generated_tokens=100),
    )
    base = outcomes("consistency", NONE)
    cheap = outcomes("debate", [1, *NONE[1:]], generated_tokens=100)
    good = outcomes("refine", ALL, generated_tokens=55)
    found = {row.arm: row for row in rows(run(*votes, base, cheap, good))}
    assert found["refine"].equal_votes == pytest.approx(0.25)
    assert (found["refine"].wins, found["debate"].wins) == (True, False)
    assert (found["refine"].helped, found["refine"].hurt) == (40, 0)


def test_what_a_verifier_tells_the_truth_is_measured_by_resampling() -> None:
    found = rows(
        run(outcomes("consistency", ALL), outcomes("retry", NONE), outcomes("reflexion", HALF))
    )
    (reflexion,) = [row for row in found if row.arm == "reflexion"]
    assert (reflexion.helped, reflexion.hurt, reflexion.equal_votes) == (20, 0, None)


def test_votes_of_any_number_of_tokens_lie_between_those_that_were_cast() -> None:
    results = run(
        outcomes("one", NONE, generated_tokens=10), outcomes("vote-2", ALL, generated_tokens=20)
    )
    assert [votes_of(results, "units", tokens) for tokens in (5, 15, 99)] == [0.0, 0.5, 1.0]
    assert votes_of(run(outcomes("auto", ALL)), "units", 10) is None


def test_training_on_a_token_costs_a_quarter_of_generating_one() -> None:
    assert spent(trial(generated_tokens=10, training_tokens=100)) == 35


def test_auto_is_compared_with_the_best_on_the_questions_that_both_were_asked() -> None:
    found = auto_against_best(
        run(
            outcomes("consistency", HALF, generated_tokens=10),
            outcomes("ttt", ALL, generated_tokens=100),
            outcomes("auto", ALL[:10], generated_tokens=50, seconds=0.25),
        )
    )
    assert found is not None
    assert found.chosen == ("units: ttt",)
    assert (found.right, found.best, found.tokens, found.seconds) == (1.0, 1.0, 0.5, 0.5)
    assert found.met


def test_auto_that_is_dear_or_wrong_misses_the_target() -> None:
    dear = run(outcomes("consistency", ALL), outcomes("auto", ALL))
    wrong = run(outcomes("consistency", ALL), outcomes("auto", HALF, generated_tokens=1, seconds=0))
    for results in (dear, wrong):
        found = auto_against_best(results)
        assert found is not None
        assert not found.met


def test_auto_alone_is_compared_with_nothing() -> None:
    assert auto_against_best(run(outcomes("auto", ALL))) is None
    assert auto_against_best(run(outcomes("consistency", ALL))) is None


def test_what_never_wins_is_named_and_baselines_are_not() -> None:
    found = rows(run(outcomes("consistency", HALF), outcomes("debate", HALF)))
    with redirect_stdout(io.StringIO()) as shown:
        print_rows(found, None)
    assert "on no suite: debate" in shown.getvalue()
