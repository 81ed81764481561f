"""What `whet eval` prints: readable at 100 columns, nothing swallowed, nothing interpreted."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from adaptation.evaluation.compare import compare
from adaptation.evaluation.results import Results
from adaptation.evaluation.summary import Summary, summarise
from server.commands.eval_report import markdown, print_comparison, print_summary
from server.commands.eval_tables import comparison_notes, section_grid
from tests.adaptation.evaluation.made_up import header, outcomes, realistic, refused, run, trial


def printed(summary: Summary, width: int = 100) -> str:
    out = Console(width=width, file=io.StringIO(), record=True)
    print_summary(summary, out)
    return out.export_text()


def compared(first: Results, second: Results) -> str:
    out = Console(width=100, file=io.StringIO(), record=True)
    print_comparison(compare(first, second), "before.jsonl", "after.jsonl", out)
    return out.export_text()


@pytest.fixture(scope="module")
def everything() -> Summary:
    return summarise(realistic(questions=40))


def test_every_arm_has_one_line_in_every_table_at_100_columns(everything: Summary) -> None:
    lines = printed(everything).splitlines()
    assert max(map(len, lines)) <= 100
    assert not any("…" in line for line in lines)
    starting = [line for line in lines if line.startswith("demos-16+vote ")]
    assert len(starting) == 14 + 3


def test_suites_stand_below_their_groups(everything: Summary) -> None:
    text = printed(everything)
    marks = ["── in distribution ──", "units: 40 questions", "in distribution, 6 suites: 240",
             "── shifted ──", "jargon:", "── guard ──", "refusal:", "── by suite ──"]  # fmt: skip
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def test_figures_are_those_of_the_summary() -> None:
    before = [True] * 8 + [False] * 2
    after = [False, *before[1:8], True, True]
    results = run(
        outcomes("consistency", before, generated_tokens=40),
        outcomes("ttt", after, generated_tokens=60, seconds=2.0),
    )
    grid = section_grid(summarise(results).suites[0], "consistency")
    cells = dict(zip(grid.columns, grid.rows[1], strict=True))
    assert cells["right, %"] == "90.0 (59.6–98.2)"
    assert cells["− consistency"].startswith("+10.0 (−")
    assert (cells["+/−"], cells["p"]) == ("2/1", "1.000")
    assert (cells["tokens"], cells["×"], cells["s"]) == ("60", "1.50", "2.00")
    assert "errors" not in cells
    assert "pass@k" not in cells


def test_a_raising_verifier_is_counted_and_shown_as_text() -> None:
    raised = "verifier raised ValueError: [bold]7[/bold]\x1b[31m"
    trials = [trial(n, False, error=raised) for n in range(3)]
    text = printed(summarise(run(trials, outcomes("vote", [True] * 3))))
    (line,) = [line for line in text.splitlines() if "× error" in line]
    assert line.startswith("3 × error in units (one): verifier raised ValueError: [bold]7[/bold]")
    assert "\x1b" not in text
    row = next(line for line in text.splitlines() if line.startswith("one "))
    assert row.split()[-1] == "3"


def test_fallbacks_training_and_missing_pairs_are_said() -> None:
    trials = [trial(n, arm="ttt", fallback="busy", training_tokens=1500) for n in range(4)]
    text = printed(summarise(run(outcomes("one", [True] * 3), trials)))
    assert "4 × ttt fell back: busy" in text
    assert "tokens trained on, in no other figure: ttt 6,000" in text
    assert "units, ttt: only 3 of 4 questions were asked under one too." in text
    assert "one (n = 3)" in text


def test_an_arm_that_does_no_harm_is_named() -> None:
    same = [True] * 400
    text = printed(summarise(run(outcomes("one", same), outcomes("vote", same))))
    assert "A loss of more than 1 point against one is ruled out for: vote." in text
    assert "0.0 (−1.0 to +1.0)" in text
    worse = [False] * 15 + [True] * 385
    text = printed(summarise(run(outcomes("one", same), outcomes("vote", worse))))
    assert "is ruled out for: no arm." in text


def test_two_equal_questions_do_not_show_that_an_arm_does_no_harm() -> None:
    same = [True, True]
    text = printed(summarise(run(outcomes("one", same), outcomes("vote", same))))
    assert "is ruled out for: no arm." in text
    assert "0.0 (−65.8 to +65.8)" in text


def test_the_notes_say_what_is_resampled_and_what_is_taken_to_be_independent() -> None:
    results = run(outcomes("one", [True, False]), outcomes("vote", [True, True]))
    words = "resample a suite's worlds", "Tango's score intervals", "p and Wilson's intervals take"
    for text in (printed(summarise(results)), compared(results, results)):
        shown = " ".join(text.split())
        assert all(each in shown for each in words)


def test_an_arm_without_any_reply_is_printed_without_figures() -> None:
    failed = [refused()]
    text = printed(summarise(run(failed)))
    assert "nan" not in text
    assert "request refused: HTTP 400" in text


def test_github_gets_well_formed_tables(everything: Summary) -> None:
    text = markdown(everything)
    assert "nan" not in text
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3 + 1
    for heads, rules, *rows in tables:
        assert set(rules) <= set("|:- ")
        assert {line.count("|") for line in (heads, rules, *rows)} == {heads.count("|")}
        assert len(rows) in (11, 14)
    assert len([p for p in markdown(everything, suites=True).split("\n\n") if p[0] == "|"]) == 18


def test_github_shows_an_error_as_it_is() -> None:
    trials = [trial(0, False, error="verifier raised <class 'KeyError'>")]
    assert "&lt;class 'KeyError'&gt;" in markdown(summarise(run(trials)))


def test_a_comparison_fits_100_columns_and_pools_groups() -> None:
    text = compared(realistic(questions=5), realistic(questions=5, seed=2))
    assert max(map(len, text.splitlines())) <= 100
    assert "── after.jsonl against before.jsonl ──" in text
    assert "all in distribution" in text
    assert "nan" not in text


def test_a_comparison_says_what_was_measured_otherwise_and_not_compared() -> None:
    data = {**header().data_version, "units": "units-2"}
    first = run(outcomes("one", [True, False]), outcomes("vote", [True]))
    second = run([trial(0, True), trial(1, True, question="new?")],
                 adapter="ann-3", data_version=data)  # fmt: skip
    text = compared(first, second)
    for expected in (
        "ann-3",
        "units-2",
        "of units are of another version",
        "1 questions with another",
        "before.jsonl alone: units under vote",
    ):
        assert expected in text


def test_runs_without_anything_in_common_are_said_to_be() -> None:
    first, second = run(outcomes("one", [True])), run(outcomes("vote", [True]))
    notes = comparison_notes(compare(first, second), "a", "b")
    assert notes[-1] == "The two runs have no suite and arm in common."
    assert "no suite and arm" in compared(first, second)
