"""`whet practise`: exercises, a model that solves some of them, and the records that come of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adaptation.learning.training.fake import FakeTrainer, write_zeros
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.offline.job import JobKind, JobStatus, NewJob
from memory.tenants import Limits
from memory.types import Draft, Message, Record, Source, State, Tier
from memory.versions.adapters import NewVersion
from memory.versions.judgements import Judgement
from server.cli import main
from server.config import Settings
from server.jobs.folders import folder_of
from server.jobs.kinds import practise, run_of
from server.jobs.performing import perform
from server.jobs.work import Stopped, Work
from server.memory_opening import memory_of

SUM = re.compile(r"What is ([0-9+\- ]+)\?")
DOUBLE = "Write a function `double` that doubles a number."


class Student:
    """Adds rightly every other time it is asked the same; poses sums when asked for exercises."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.posed = 0

    def __call__(self, turns: tuple[Message, ...], adapter: str | None) -> str:
        question = turns[-1].content
        if question.startswith("Write another"):
            self.posed += 1
            return f"What is {self.posed} + 1 + {self.posed % 7}?" if self.posed % 3 else "Hello!"
        self.asked[question] += 1
        is_right = self.asked[question] % 2 == 0
        if question == DOUBLE:
            return f"```python\ndef double(x):\n    return x * {2 if is_right else 3}\n```"
        found = SUM.search(question)
        total = (
            sum(int(n) for n in re.findall(r"[+-]?\d+", found[1].replace(" ", ""))) if found else 0
        )
        return f"I add.\n#### {total if is_right else total + 1}"


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def student(monkeypatch: pytest.MonkeyPatch) -> Student:
    student = Student()
    monkeypatch.setattr(practise, "make_trainer", lambda *_: FakeTrainer(answer=student))
    return student


def claimed(memory: LongTermMemory) -> Work:
    job = memory.jobs.claim("one")
    assert job is not None
    settings = Settings(data_dir=memory.data_dir)
    return Work(job, memory, settings, folder_of(memory.data_dir, job.id), "one")


def asked(memory: LongTermMemory, **request: object) -> Work:
    given = {"model": "fake", **request}
    memory.jobs.create(NewJob(tenant="default", kind=JobKind.PRACTISE, request=given), 10)
    return claimed(memory)


def error_of(work: Work) -> str:
    return work.memory.jobs.get("default", work.job.id).error or ""


def records(memory: LongTermMemory) -> list[Record]:
    return list(memory.walk("default", state=State.ACTIVE))


async def done(work: Work) -> JobStatus:
    return await perform(work, run_of(JobKind.PRACTISE))


async def test_exercises_of_a_family_become_records_that_know_their_source(
    memory: LongTermMemory,
) -> None:
    work = asked(memory, families=["sums"], exercises=16)
    assert await done(work) is JobStatus.SUCCEEDED
    kept = records(memory)
    assert len(kept) == 16
    for record in kept:
        assert (record.source, record.tier, record.task) == (
            Source.ENVIRONMENT,
            Tier.EXECUTABLE,
            "sums",
        )
        assert record.evidence["practice"]["pass_rate"] == 0.5
        assert record.rationale.startswith("I add.")
    now = memory.jobs.get("default", work.job.id)
    assert now.result is not None
    assert now.result["families"][0]["kept"] == 16
    told = [event for event in memory.jobs.events("default", work.job.id, 10) if event.data]
    assert told[0].data is not None
    assert told[0].data["pass_rate"] == 0.5
    assert memory.stats("default")["sources"]["environment"] == 16


async def test_a_reply_that_was_cut_off_is_not_learned(memory: LongTermMemory) -> None:
    work = asked(memory, families=["sums"], exercises=8, max_new_tokens=4)
    assert await done(work) is JobStatus.SUCCEEDED
    told = [record.evidence["practice"] for record in records(memory)]
    assert {(each["solution"], each["pass_rate"]) for each in told} == {("generator", 0.0)}


async def test_practice_ends_where_the_tenants_day_has_no_room(memory: LongTermMemory) -> None:
    memory.tenants.set("default", Limits(records_per_day=11))
    work = asked(memory, families=["sums"], exercises=24)
    assert await done(work) is JobStatus.FAILED
    assert "may save 11 records a day (records_per_day)" in error_of(work)
    assert len(records(memory)) == 11
    again = asked(memory, families=["sums"], exercises=24)
    assert await done(again) is JobStatus.FAILED
    now = memory.jobs.get("default", again.job.id)
    assert (now.result, len(records(memory))) == (None, 11)


async def test_practice_begins_a_level_higher_once_the_gate_was_saturated(
    memory: LongTermMemory,
) -> None:
    async def first_level() -> int:
        work = asked(memory, families=["equations"], exercises=1)
        assert await done(work) is JobStatus.SUCCEEDED
        result = memory.jobs.get("default", work.job.id).result
        assert result is not None
        return int(result["families"][0]["levels"][0])

    usual, of = await first_level(), {"tenant": "default", "base_model": "fake"}
    fields = {"adapter_id": "ad_1", "promoted": False, "alpha": 0.02, "e_value": 1.0}
    fields |= {"helped": 0, "hurt": 0, "before": 0.97, "after": 0.97, "train": 9, "seconds": 1.0}
    asked_of = {"record_ids": tuple(f"rec_{i}" for i in range(32))}
    memory.judgements.add(Judgement.model_validate(of | fields | asked_of))
    assert await first_level() == usual + 1


async def test_the_model_plays_itself_and_only_what_is_computed_counts(
    memory: LongTermMemory,
) -> None:
    work = asked(memory, mode="self-play", families=["sums"], exercises=12)
    assert await done(work) is JobStatus.SUCCEEDED
    assert {record.source for record in records(memory)} == {Source.SELF_PLAY}
    tally = (memory.jobs.get("default", work.job.id).result or {})["families"][0]
    assert tally["posed"] == 12
    assert tally["refused"] > 0
    for record in records(memory):
        found = SUM.search(record.question)
        assert found is not None
        assert sum(map(int, found[1].split(" + "))) == int(record.answer)


async def test_the_base_poses_and_what_is_served_solves(
    memory: LongTermMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, student: Student
) -> None:
    (tmp_path / "trained").mkdir()
    write_zeros(tmp_path / "trained", rank=2)
    new = NewVersion(tenant="default", base_model="fake", rank=2)
    champion = memory.adapters.register(tmp_path / "trained", new)
    memory.adapters.promote("default", champion.id)
    asked_through: dict[bool, set[str | None]] = {True: set(), False: set()}

    def answer(turns: tuple[Message, ...], adapter: str | None) -> str:
        asked_through[turns[-1].content.startswith("Write another")].add(adapter)
        return student(turns, adapter)

    monkeypatch.setattr(practise, "make_trainer", lambda *_: FakeTrainer(answer=answer))
    work = asked(memory, mode="self-play", families=["sums"], exercises=4)
    assert await done(work) is JobStatus.SUCCEEDED
    assert asked_through == {True: {None}, False: {champion.path}}
    assert {record.adapter for record in records(memory)} == {champion.id}


async def test_nothing_is_written_after_what_the_model_wrote(memory: LongTermMemory) -> None:
    work = asked(memory, mode="self-play", families=["sums"], exercises=8)
    assert await done(work) is JobStatus.SUCCEEDED
    assert records(memory)
    again = asked(memory, mode="synthetic", exercises=8)
    assert await done(again) is JobStatus.FAILED
    assert "no record's answer can be computed" in error_of(again)


async def test_synthetic_questions_are_written_after_the_tenants_own(
    memory: LongTermMemory,
) -> None:
    work = asked(memory, mode="synthetic", exercises=8)
    assert await done(work) is JobStatus.FAILED
    assert "no record's answer can be computed" in error_of(work)
    for i in range(4):
        question = Message(role="user", content=f"What is {i} + {i} + 2?")
        memory.save(
            Draft(
                tenant="default", messages=(question,), answer=str(2 * i + 2),
                rationale=f"#### {2 * i + 2}", tier=Tier.FEEDBACK,
            )
        )  # fmt: skip
    assert await done(asked(memory, mode="synthetic", exercises=8)) is JobStatus.SUCCEEDED
    made = [record for record in records(memory) if record.source is Source.SYNTHETIC]
    assert len(made) == 8
    assert {record.task for record in made} == {"synthetic"}


async def test_code_is_judged_by_its_tests(memory: LongTermMemory) -> None:
    tasks = [{"question": DOUBLE, "tests": "assert double(4) == 8"}]
    assert await done(asked(memory, tasks=tasks, exercises=1)) is JobStatus.SUCCEEDED
    (record,) = records(memory)
    assert record.answer == "def double(x):\n    return x * 2\n"
    assert (record.tier, record.evidence["practice"]["pass_rate"]) == (Tier.CORROBORATED, 0.5)


async def test_code_whose_tests_test_nothing_is_refused(memory: LongTermMemory) -> None:
    work = asked(memory, tasks=[{"question": DOUBLE, "tests": "x = 1"}])
    assert await done(work) is JobStatus.FAILED
    assert "tasks.0" in error_of(work)


async def test_the_same_exercises_are_not_practised_twice(memory: LongTermMemory) -> None:
    tasks = [{"question": DOUBLE, "tests": "assert double(4) == 8"}]
    assert await done(asked(memory, tasks=tasks)) is JobStatus.SUCCEEDED
    again = asked(memory, tasks=tasks)
    assert await done(again) is JobStatus.FAILED
    assert "are in memory already" in error_of(again)


async def test_practice_that_was_interrupted_goes_on_after_its_last_round(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = asked(memory, families=["sums"], exercises=24)
    saved, save_many = 0, memory.save_many

    def interrupted(drafts: list[Draft]) -> object:
        nonlocal saved
        saved += 1
        if saved == 3:
            raise Stopped
        return save_many(drafts)

    with monkeypatch.context() as patched:
        patched.setattr(memory, "save_many", interrupted)
        assert await done(work) is JobStatus.QUEUED
    again = claimed(memory)
    assert (again.job.result or {})["families"][0]["posed"] == 16
    assert await done(again) is JobStatus.SUCCEEDED
    assert len(records(memory)) == 24


@pytest.mark.parametrize(
    ("family", "told"),
    [("jargon", "private world"), ("nonsense", "there is no suite"), ("refusal", "manners")],
)
async def test_what_is_no_practice_is_refused(
    memory: LongTermMemory, family: str, told: str
) -> None:
    work = asked(memory, families=[family])
    assert await done(work) is JobStatus.FAILED
    assert told in error_of(work)


async def test_a_family_of_reasoning_gym_is_judged_by_its_own_scorer(
    memory: LongTermMemory,
) -> None:
    pytest.importorskip("reasoning_gym", reason="whet[gym] is not installed")
    work = asked(memory, families=["rg:basic_arithmetic"], exercises=3)
    assert await done(work) is JobStatus.SUCCEEDED
    tally = (memory.jobs.get("default", work.job.id).result or {})["families"][0]
    assert tally["posed"] == 3


def test_the_command_reads_tests_and_prints_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data-dir", str(tmp_path / "data"), "--embedder", "hashing"]
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps({"question": DOUBLE, "tests": "assert double(4) == 8"}) + "\n")
    words = ["practise", "--tests", str(file), "--family", "sums", "--exercises", "9", *flags]
    assert main(words) == 0
    assert "9 became records" in capsys.readouterr().out
    with closing(memory_of(Settings(data_dir=tmp_path / "data", embedder="hashing"))) as memory:
        assert len(records(memory)) == 9


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}\n", "line 1 is no"),
        ("\n" + '{"a":' * 100_000, "line 2 is no"),
        ("\n", "has 0 tasks"),
        ('{"question": "f?", "tests": "assert f"}\n' * 1_001, "has 1001 tasks: practise 1 to 1000"),
    ],
)
def test_tasks_that_cannot_be_practised_are_said_in_a_line(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tasks.jsonl").write_text(text)
    words = ["practise", "--tests", str(tmp_path / "tasks.jsonl"), "--data-dir", str(tmp_path)]
    assert main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing to practise"),
        (["--synthetic", "--family", "sums"], "--family goes with --self-play"),
        (["--self-play", "--tests", "x"], "--tests brings its own tasks"),
        (["--family", "sums"] * 33, "practise 32 families at a time"),
    ],
)
def test_what_does_not_go_together_is_said(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["practise", *words, "--data-dir", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err
