"""`/v1/jobs` and `whet jobs`: asked for, looked at, ended."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from memory.embedding.embedder import create_embedder
from memory.history.files import NewFile
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, JobStatus, NewEvent, NewJob, Progress
from server.cli import main
from server.commands import jobs
from server.config import Settings
from server.jobs import device
from server.jobs.device import held, lock_of
from tests.server.composed import composed

Capture = pytest.CaptureFixture[str]


async def test_a_job_is_made_listed_and_cancelled_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: None) as server:
        made = await server.post("/v1/jobs", kind="distill", dry_run=True, target="facts/507")
        assert (made["object"], made["kind"], made["status"]) == ("job", "distill", "queued")
        kept = server.memory.jobs.get("default", made["id"])
        assert kept.request["dry_run"] is True
        assert kept.request["target"] == "facts/507"
        assert kept.request["model"].endswith("weights")
        listed = (await server.http.get("/v1/jobs?kind=distill&limit=1")).json()
        assert [job["id"] for job in listed["data"]] == [made["id"]]
        assert (await server.http.get("/v1/jobs?kind=tune")).json()["data"] == []
        claimed = server.memory.jobs.claim("one")
        assert claimed is not None
        server.memory.jobs.note(claimed.id, "one", [NewEvent(message="half of it")])
        events = (await server.http.get(f"/v1/jobs/{made['id']}/events")).json()["data"]
        assert [(event["object"], event["message"]) for event in events] == [
            ("job.event", "half of it")
        ]
        ended = await server.post(f"/v1/jobs/{made['id']}/cancel")
        assert (ended["status"], ended["wanted"]) == ("running", "cancel")
        server.memory.jobs.end(claimed.id, "one", JobStatus.CANCELLED)
        again = await server.http.post(f"/v1/jobs/{made['id']}/pause")
        assert again.status_code == 409
        shown = (await server.http.get(f"/v1/jobs/{made['id']}")).json()
        assert (shown["status"], shown["estimated_finish"]) == ("cancelled", None)


async def test_a_file_of_the_tenants_own_is_imported_and_memory_indexed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: None) as server:
        new = NewFile(tenant="default", name="a.jsonl", purpose="user_data")
        file = server.memory.files.create(new, [b"{}"])
        known = {"licence": "CC-BY-4.0", "provenance": "tickets of May"}
        made = await server.post("/v1/jobs", kind="import", file=file.id, **known)
        assert server.memory.jobs.get("default", made["id"]).request == {"file": file.id, **known}
        indexed = await server.post("/v1/jobs", kind="reindex")
        assert indexed["kind"] == "reindex"
        other = server.memory.files.create(new.model_copy(update={"tenant": "bob"}), [b"{}"])
        for name in (other.id, "file-none"):
            refused = await server.http.post("/v1/jobs", json={"kind": "import", "file": name})
            assert refused.status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"kind": "guess"}, "kind"),
        ({"kind": "distill", "alpha": 1}, "alpha"),
        ({"kind": "distill", "steps": 3}, "steps"),
        ({"kind": "distill", "target": "house_rule"}, "target"),
        ({"kind": "distill", "target": "stories/3"}, "target"),
        ({"kind": "distill", "target": "stories", "rebuild": "ad_0123456789ab"}, "target"),
        ({"kind": "distill", "rebuild": "ad_0123456789ab"}, "rebuild"),
        ({"kind": "distill", "parent": "ad_0123456789ab"}, "parent"),
        ({"kind": "distill", "parent": "3"}, "parent"),
        ({"kind": "import"}, "file"),
        ({"kind": "import", "file": "/etc/passwd"}, "file"),
        ({"kind": "reindex", "alpha": 0.1}, "alpha"),
        ({}, "kind"),
    ],
)
async def test_a_job_that_makes_no_sense_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: dict[str, object], param: str
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: None) as server:
        refused = await server.http.post("/v1/jobs", json=body)
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == param
        assert (await server.http.get("/v1/jobs/job_none")).status_code == 404
        assert (await server.http.post("/v1/jobs/job_none/cancel")).status_code == 404


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a job that is under way."""
    monkeypatch.setenv("WHET_DATA_DIR", str(tmp_path / "data"))
    memory = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    new = NewJob(tenant="default", kind=JobKind.FINE_TUNE, request={})
    made = memory.jobs.create(new, 10)
    memory.jobs.claim("one")
    memory.jobs.advance(made.id, "one", Progress(phase="train", done=3, total=8))
    told = [NewEvent(message="begun"), NewEvent(message="odd", level="warn")]
    data = {"step": 3, "train_loss": 0.25}
    figures = NewEvent(message="step 3: train_loss 0.25", type="metrics", data=data)
    memory.jobs.note(made.id, "one", [*told, figures])
    memory.close()
    return made


def said(capsys: Capture, *words: str, status: int = 0) -> str:
    assert main(list(words)) == status
    told = capsys.readouterr()
    return told.err if status else told.out


def test_jobs_are_listed_and_shown(job: Job, capsys: Capture) -> None:
    listed = said(capsys, "jobs", "list")
    assert job.id in listed
    assert "train 3/8" in listed
    assert json.loads(said(capsys, "jobs", "list", "--json"))["data"][0]["id"] == job.id
    assert "fine-tune" in said(capsys, "jobs", "show", job.id)
    assert "no jobs" in said(capsys, "jobs", "list", "--tenant", "bob")
    assert "whet jobs list" in said(capsys, "jobs", "show", "job_none", status=1)


def test_a_job_is_shown_as_people_read_it(job: Job, capsys: Capture, tmp_path: Path) -> None:
    memory = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    result = {"adapter": "ad_1", "guards": {"known": 3, "lost": []}, "result_files": ["file-1"]}
    memory.jobs.end(job.id, "one", JobStatus.SUCCEEDED, result | {"checkpoints": [{"step": 3}]})
    memory.close()
    shown = said(capsys, "jobs", "show", job.id)
    rows = dict(line.split(maxsplit=1) for line in shown.splitlines() if " " in line.rstrip())
    assert rows["result.guards.known"] == "3"
    assert rows["result.result_files"] == "file-1"
    assert rows["result.checkpoints"] == '[{"step": 3}]'
    assert rows["ended_at"].startswith("20"), "a date, in place of seconds since 1970"
    assert "None" not in shown
    assert "progress" not in rows, "it has ended"


def test_a_long_list_is_left_to_programs(job: Job, capsys: Capture, tmp_path: Path) -> None:
    memory = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    figures = [{"step": step, "train_loss": 0.25} for step in range(27)]
    memory.jobs.end(job.id, "one", JobStatus.SUCCEEDED, {"figures": figures})
    memory.close()
    assert "27 entries, see --json" in said(capsys, "jobs", "show", job.id)
    assert json.loads(said(capsys, "jobs", "show", job.id, "--json"))["result"] == {
        "figures": figures
    }


def test_a_job_that_waits_says_for_whom(
    job: Job, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHET_DEVICE_LOCKS", str(tmp_path))
    monkeypatch.setenv("WHET_TRAINER_DEVICE", "cpu")
    memory = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    new = NewJob(tenant="default", kind=JobKind.DISTILL, request={})
    queued = memory.jobs.create(new, 10)
    memory.close()
    assert "waits" not in said(capsys, "jobs", "list")
    with held(lock_of(tmp_path, "cpu")) as lock:
        lock.say(job.id)
        assert f"waits for {job.id}" in said(capsys, "jobs", "list")
        shown = said(capsys, "jobs", "show", queued.id)
        assert ["waits_for", job.id] in [line.split() for line in shown.splitlines()]
        cancel = partial(main, ["jobs", "cancel", queued.id])
        monkeypatch.setattr(jobs, "time", SimpleNamespace(sleep=lambda _: cancel()))
        assert main(["jobs", "logs", queued.id, "--follow"]) == 0
        told = capsys.readouterr().err
    assert told == f"whet: {queued.id} is queued; it waits for {job.id}\n", "in place of silence"


def test_the_device_is_looked_for_once_however_many_jobs_wait(
    job: Job, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = list[Settings]()

    def look(settings: Settings) -> Path:
        looked.append(settings)
        return lock_of(tmp_path, "cpu")

    monkeypatch.setattr(device, "lock_of_device", look)
    said(capsys, "jobs", "list")
    assert not looked, "nobody waits"
    memory = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    for _ in range(3):
        memory.jobs.create(NewJob(tenant="default", kind=JobKind.DISTILL, request={}), 10)
    memory.close()
    said(capsys, "jobs", "list", "--json")
    assert not looked, "programs are not told"
    with held(lock_of(tmp_path, "cpu")) as lock:
        lock.say(job.id)
        assert said(capsys, "jobs", "list").count(f"waits for {job.id}") == 3
    assert len(looked) == 1


def test_logs_are_lines_oldest_first(job: Job, capsys: Capture) -> None:
    lines = said(capsys, "jobs", "logs", job.id).splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "begun",
        "warn: odd",
        "step 3: train_loss 0.25",
    ]


def test_the_logs_of_a_job_that_failed_end_with_why(
    job: Job, capsys: Capture, tmp_path: Path
) -> None:
    memory = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    memory.jobs.end(job.id, "one", JobStatus.FAILED, error="the device is gone")
    memory.close()
    lines = said(capsys, "jobs", "logs", job.id).splitlines()
    assert lines[-1].endswith("  error: the device is gone")
    assert len(lines) == 4
    events = said(capsys, "jobs", "logs", job.id, "--json")
    assert "the device is gone" in events, "a program that follows events learns it as well"


def test_a_wish_is_noted_for_whoever_works_and_what_cannot_be_is_said(
    job: Job, capsys: Capture
) -> None:
    assert "resume" in said(capsys, "jobs", "resume", job.id, status=1)
    assert said(capsys, "jobs", "cancel", job.id) == f"{job.id} is running (cancel wanted)\n"
    assert json.loads(said(capsys, "jobs", "cancel", job.id, "--json"))["wanted"] == "cancel"
    assert "cancel wanted" in said(capsys, "jobs", "list")


def test_logs_are_followed_to_the_end(
    job: Job, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def later(_: float) -> None:
        memory = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
        memory.jobs.note(job.id, "one", [NewEvent(message="the end")])
        memory.jobs.end(job.id, "one", JobStatus.SUCCEEDED)
        memory.close()

    monkeypatch.setattr(jobs, "time", SimpleNamespace(sleep=later))
    lines = said(capsys, "jobs", "logs", job.id, "--follow").splitlines()
    assert lines[-1].endswith("the end")
    assert len(lines) == 4
