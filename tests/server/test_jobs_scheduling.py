"""Jobs that begin by themselves: at their times, when enough is new, one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.offline.job import JobKind, JobStatus
from memory.offline.schedule import NewSchedule
from memory.types import Draft, Message, Tier
from server.cli import main
from server.jobs.cron import check_cron, next_moment
from server.jobs.scheduling import COUNT_S, ask_for_due, next_look

DAY_S = 86_400.0
START = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    yield opened
    opened.close()


def keep(memory: LongTermMemory, cron: str | None, least: int | None = None) -> str:
    new = NewSchedule(
        tenant="ann",
        kind=JobKind.DISTILL,
        request={"model": "m"},
        cron=cron,
        least_records=least,
        next_at=next_look(cron, START),
    )
    return memory.schedules.create(new).id


def save(memory: LongTermMemory, count: int) -> None:
    asked = [f"What is {i} lamp {memory.stats('ann')['records']}?" for i in range(count)]
    memory.save_many([_draft(text) for text in asked])


def _draft(text: str) -> Draft:
    asked = (Message(role="user", content=text),)
    return Draft(tenant="ann", messages=asked, answer="5", rationale="5", tier=Tier.FEEDBACK)


def end(memory: LongTermMemory) -> None:
    job = memory.jobs.claim("one")
    assert job is not None
    memory.jobs.end(job.id, "one", JobStatus.SUCCEEDED)


def test_a_time_of_day_begins_one_job_and_makes_up_for_nights_without_a_server_once(
    memory: LongTermMemory,
) -> None:
    keep(memory, "0 3 * * *")
    assert ask_for_due(memory, START + 14 * 3600) == []
    (job,) = ask_for_due(memory, START + 15 * 3600)
    assert (job.tenant, job.kind, job.request) == ("ann", JobKind.DISTILL, {"model": "m"})
    assert ask_for_due(memory, START + 16 * 3600) == []
    end(memory)
    assert len(ask_for_due(memory, START + 5 * DAY_S)) == 1
    assert ask_for_due(memory, START + 5 * DAY_S + 3600) == []


def test_no_job_is_begun_while_the_last_one_is_not_done(memory: LongTermMemory) -> None:
    keep(memory, "0 3 * * *")
    assert len(ask_for_due(memory, START + DAY_S)) == 1
    assert ask_for_due(memory, START + 2 * DAY_S) == []
    end(memory)
    assert len(ask_for_due(memory, START + 3 * DAY_S)) == 1


def test_enough_that_is_new_begins_a_job_at_the_next_count(memory: LongTermMemory) -> None:
    keep(memory, None, least=3)
    save(memory, 2)
    assert ask_for_due(memory, START + COUNT_S) == []
    save(memory, 1)
    assert ask_for_due(memory, START + COUNT_S + 1) == [], "it is counted once a minute"
    assert len(ask_for_due(memory, START + 2 * COUNT_S)) == 1
    end(memory)
    assert ask_for_due(memory, START + 3 * COUNT_S) == [], "what was there is not new any more"


def test_a_time_and_a_number_are_both_needed(memory: LongTermMemory) -> None:
    keep(memory, "0 3 * * *", least=3)
    assert ask_for_due(memory, START + DAY_S) == []
    save(memory, 3)
    assert ask_for_due(memory, START + DAY_S + COUNT_S) == []
    assert len(ask_for_due(memory, START + 2 * DAY_S)) == 1


def test_moments_are_in_utc() -> None:
    at = datetime.fromtimestamp(next_moment("30 3 * * 1", START), UTC)
    assert (at.isoweekday(), at.hour, at.minute, at.day) == (1, 3, 30, 12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("* * * *", "five fields"),
        ("0 3 * * * *", "five fields"),
        ("0 25 * * *", "Bad hour"),
        ("0 0 30 2 *", "Bad day"),
        ("0 0 */30 2 1#5", "never comes"),
        ("", "five fields"),
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_cron(text)


def test_a_schedule_is_made_listed_and_removed_by_commands(tmp_path: Path, capsys: Capture) -> None:
    where = ["--data-dir", str(tmp_path)]
    words = ["distill", "--embedder", "hashing", *where]
    assert main([*words, "--schedule", "0 3 * * *", "--when", "50-new-records"]) == 0
    said = capsys.readouterr().out
    assert "at 0 3 * * *" in said
    assert "when 50 records are new" in said
    assert main(["jobs", "schedules", "--json", *where]) == 0
    (kept,) = json.loads(capsys.readouterr().out)["data"]
    assert (kept["cron"], kept["least_records"], kept["kind"]) == ("0 3 * * *", 50, "distill")
    assert kept["request"]["model"].endswith("weights")
    assert main(["jobs", "schedules", *where]) == 0
    shown = capsys.readouterr().out
    assert kept["id"] in shown
    assert "`whet jobs schedules --remove ID` removes one" in shown
    assert main(["jobs", "schedules", "--remove", kept["id"], *where]) == 0
    assert "no schedules" in capsys.readouterr().out
    assert main(["jobs", "schedules", "--remove", kept["id"], *where]) == 1
    assert "whet jobs schedules" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["--schedule", "0 25 * * *"], ["--when", "0"], ["--when", "5", "--json"]],
)
def test_a_schedule_that_makes_no_sense_is_a_usage_error(words: list[str], capsys: Capture) -> None:
    assert main(["distill", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
