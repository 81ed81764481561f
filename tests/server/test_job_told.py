"""How far a job is: in its log, and on stderr where that is no terminal."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adaptation.learning.training.trainer import Recipe
from adaptation.learning.tuning.search import most_trials
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.offline.job import JobKind, NewJob
from server.config import Settings
from server.jobs.limits import MOST_OPEN
from server.jobs.work import QUIET_S, Work
from server.telling import Lines


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in an item that may be set."""
    at = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: at[0])
    return at


def test_a_line_tells_of_the_share_and_of_the_time_left(now: list[float]) -> None:
    lines = Lines(quiet_s=60.0)
    assert lines.line("trials", 40, 400) == "trials: 40 of 400 (10%)"
    now[0] += 30
    assert lines.line("trials", 50, 400) is None
    now[0] += 570
    assert lines.line("trials", 100, 400) == "trials: 100 of 400 (25%), 50 min left"
    assert lines.line("records", 7, None) == "records: 7"


def test_a_long_job_logs_now_and_then_how_far_it_is(data_dir: Path, now: list[float]) -> None:
    memory = LongTermMemory.open(data_dir, create_embedder("hashing"))
    asked = NewJob(tenant="default", kind=JobKind.TUNE, request={})
    job = memory.jobs.create(asked, MOST_OPEN)
    taken = memory.jobs.take("default", job.id, "me")
    work = Work(taken, memory, Settings(), data_dir, "me")
    for done in range(100):
        work.progress("trials", done, 100)
        now[0] += QUIET_S / 10
    work.flush()
    events = memory.jobs.events("default", job.id, 100, None, oldest=True)
    memory.close()
    told = [event.message for event in events if event.message.startswith("trials")]
    assert len(told) == 9
    assert told[0] == "trials: 10 of 100, 4 min left"


def test_a_search_for_a_recipe_knows_how_many_trials_it_takes_at_most() -> None:
    assert most_trials(Recipe(), 1) < most_trials(Recipe(), 4) < 100
