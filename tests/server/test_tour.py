"""`whet demo` against the composed server: its stations, in their order, and what they came to."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from adaptation.evaluation.questions import doubtful
from adaptation.evaluation.suites.solved import Solved
from adaptation.options import Strategy
from adaptation.report import AnswerCount, Report, StopReason
from server.cli import main
from server.tour.client import Reply
from server.tour.narrator import Narrator
from server.tour.vote import Trial, show_one
from tests.server import composed as served
from tests.server.composed import composed
from tests.server.listening import listening

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


def said(request: Any) -> served.Reply:
    return served.Reply("1 + 1 = 2.\n#### 2")


async def test_a_tour_has_the_stations_that_can_run_and_says_what_each_came_to(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with composed(data_dir.parent, monkeypatch, said) as server, listening(server) as url:
        status = await asyncio.to_thread(main, ["demo", "--url", url, "--fast"])
    told = capsys.readouterr().out
    assert status == 0
    chapters = re.findall(r"^(\d)\. (\w+)", told, re.MULTILINE)
    assert chapters == [("1", "Voting"), ("2", "Test"), ("3", "Feedback")]
    summary = told.partition("What happened")[2]
    assert re.search(r"voting .*made no difference", summary)
    assert re.search(r"feedback .*comes from record rec_", " ".join(summary.split()))
    assert "distillation" not in summary


def test_the_question_is_shown_on_which_the_vote_was_worth_most() -> None:
    tasks = doubtful(3, seed=1)
    trials = [_trial(task, right) for task, right in zip(tasks, (8, 3, 6), strict=True)]
    console = Console(width=100, markup=False, record=True, file=io.StringIO())
    show_one(Narrator(console), trials)
    told = " ".join(console.export_text().split())
    assert tasks[1].question in " ".join(told.split(" │ "))
    assert "one sample │ wrong" in told
    assert "3 were right" in told
    assert "on 2 of 3 questions" in told


def test_where_every_sample_is_right_no_example_is_shown() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    show_one(Narrator(console), [_trial(task, 8) for task in doubtful(2, seed=1)])
    assert console.export_text() == ""


def _trial(task: Solved, right: int) -> Trial:
    """A trial of which `right` of eight single samples, and the vote, are right."""
    texts = ("right",) * right + ("wrong",) * (8 - right)
    report = Report(
        strategy=Strategy.CONSISTENCY,
        requested=Strategy.CONSISTENCY,
        stop_reason=StopReason.CONFIDENT,
        answer=task.answer,
        votes=(AnswerCount(answer=task.answer, count=4),),
    )
    vote = Reply("chatcmpl-1", ("right",), report, 8, 0.1)
    return Trial(task, tuple(text == "right" for text in texts), texts, vote)


def test_a_folder_without_its_server_is_asked_wrongly(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--data-dir", "somewhere"]) == 2
    assert "--url" in capsys.readouterr().err
