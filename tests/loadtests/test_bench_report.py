"""What a run says and keeps; no engine is started here."""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import runpy
import sys
from datetime import UTC, datetime
from typing import Literal

import psutil
import pytest
from rich.console import Console

from adaptation.evaluation import questions
from adaptation.evaluation.examples import import_lines
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.evaluation.suites.suite import WORLD_SEEDS
from adaptation.report import AnswerCount
from adaptation.statistics import Interval
from loadtests import bench
from loadtests.measure.consistency import plurality
from loadtests.measure.result import Result, Target
from loadtests.processes import peak_mib
from server.tour.narrator import Narrator, Outcome, verdict_of


@pytest.mark.parametrize(
    ("value", "direction", "met"),
    [
        (0.95, "at least", True),
        (0.94, "at least", False),
        (3.0, "at most", True),
        (3.1, "at most", False),
        (math.nan, "at most", False),
        (math.nan, "at least", False),
    ],
)
def test_a_target_is_met_on_its_bound_and_never_by_nan(
    value: float, direction: Literal["at least", "at most"], met: bool
) -> None:
    bound = 0.95 if direction == "at least" else 3.0
    assert Target("speed", bound, direction, Interval(value, value, value)).met is met


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Interval(2.0, 1.0, 2.9), "met"),
        (Interval(2.0, 1.0, 3.5), "met, but the spread holds the bound"),
        (Interval(4.0, 3.5, 5.0), "MISSED"),
        (Interval(4.0, 2.5, 5.0), "MISSED, but the spread holds the bound"),
        (Interval(math.nan, math.nan, math.nan), "MISSED"),
    ],
)
def test_a_verdict_says_when_the_spread_leaves_it_open(found: Interval, verdict: str) -> None:
    assert Target("latency", 3.0, "at most", found).verdict == verdict


def test_a_report_can_be_judged_and_repeated_from_its_json() -> None:
    target = Target("hand-off", 0.02, "at most", Interval(0.3, 0.2, 0.4), "s")
    result = Result("ttt", "Training", [("hand-off", "0.30")], {"x": [1.5, math.nan]}, [target])
    args = argparse.Namespace(quick=True, seed=7, model="whet-pebble")
    found = json.loads(json.dumps(bench.report([result], args, datetime.now(UTC)), allow_nan=False))
    assert found["results"][0]["figures"]["x"] == [1.5, None]
    assert found["results"][0]["targets"][0]["met"] is False
    assert (found["seed"], found["quick"], found["model"]) == (7, True, "whet-pebble")
    assert found["machine"]["cores"] == os.cpu_count()
    assert len(found["versions"]["whet-pebble sha256"]) == 16


def test_the_most_frequent_answer_wins_and_the_first_of_a_tie() -> None:
    assert plurality(("#### 4", "#### 7", "no idea", "#### 7.0")) == "7"
    assert plurality(("#### 9", "#### 4")) == "9"
    assert plurality(("no idea",)) is None


def test_questions_are_seeded_and_differ_from_each_other() -> None:
    tasks = questions.everyday(40, seed=5)
    assert tasks == questions.everyday(40, seed=5)
    assert len({task.question for task in tasks}) == 40
    assert tasks != questions.everyday(40, seed=6)


def test_a_worked_solution_gives_its_own_answer() -> None:
    for task in [*questions.everyday(40, seed=5), *questions.shifted(20, seed=5)]:
        assert questions.is_right(questions.answer_in(task.rationale), task)


def test_examples_are_imported_one_a_line_under_a_task_of_their_own() -> None:
    lines = import_lines(questions.examples(3, seed=1), questions.TASK).splitlines()
    assert [json.loads(line)["task"] for line in lines] == [questions.TASK] * 3


def test_everyday_questions_are_of_the_evaluation_split_the_kinds_in_turn() -> None:
    tasks = questions.everyday(10, seed=5)
    assert {split_of(task.question) for task in tasks} == {Split.EVALUATION}
    kinds = [name for name, _ in questions.EVERYDAY]
    assert [task.task for task in tasks] == (kinds * 3)[:10]


@pytest.mark.parametrize("seed", [1, 1234])
def test_the_tours_worlds_are_none_that_the_model_was_trained_on(seed: int) -> None:
    asked, shown = questions.shifted(20, seed), questions.examples(20, seed)
    (world,) = {task.task for task in [*asked, *shown]}
    assert int(world.removeprefix("jargon/")) in WORLD_SEEDS[Split.EVALUATION]
    assert {split_of(task.question) for task in asked} == {Split.EVALUATION}
    assert {split_of(task.question) for task in shown} == {Split.MEMORY}


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [(3, 6, "helped"), (3, 3, "made no difference"), (3, 2, "hurt")],
)
def test_a_verdict_follows_the_figures(before: int, after: int, verdict: str) -> None:
    assert verdict_of(before, after) == verdict


def test_a_vote_is_shown_as_it_was_with_the_right_answer_marked() -> None:
    task = questions.everyday(1, seed=1)[0]
    console = Console(width=100, markup=False, record=True, file=io.StringIO())
    wrong = str(int(task.answer) + 1)
    counts = [AnswerCount(answer=wrong, count=3), AnswerCount(answer=task.answer, count=1)]
    narrator = Narrator(console)
    narrator.votes([*counts, AnswerCount(answer=None, count=1)], task)
    narrator.summary([Outcome("voting", "nothing [bold]much[/bold]", "hurt")])
    lines = console.export_text().splitlines()
    assert "3" in lines[0]
    assert "right" not in lines[0]
    assert lines[1].endswith("← right")
    assert "(no answer)" in lines[2]
    assert any("[bold]much[/bold]" in line and "hurt" in line for line in lines)


def test_memory_is_told_by_role() -> None:
    assert peak_mib([psutil.Process()])["server"] > 10


@pytest.mark.parametrize(
    "module",
    [
        "loadtests.bench",
        "loadtests.claims",
        "loadtests.bench_peers",
        "loadtests.bench_sound",
        "loadtests.bench_ttt",
    ],
)
def test_help_works_and_shows_examples(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    monkeypatch.delitem(sys.modules, module, raising=False)  # as `python -m` begins
    with pytest.raises(SystemExit) as end:
        runpy.run_module(module, run_name="__main__")
    assert end.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_an_unknown_measurement_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        bench.main(["--only", "everything"])
    assert end.value.code == 2
    assert "plain" in capsys.readouterr().err
