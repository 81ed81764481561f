"""`whet distill --replies vllm`: who replies, and that nobody else does without being told to."""

from __future__ import annotations

import json

import pytest

from adaptation.learning.ray.placement import Placement
from adaptation.learning.training.fake import FakeTrainer
from memory.types import Message
from server.cli import main
from server.jobs import spreading
from server.jobs.kinds import distill
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
    ran(capsys, "distill", "--ray", "local", "--bare", "learn", *data)
    ran(capsys, "distill", "--ray", "local", "--replies", "vllm", "--bare", "learn", *data)
    assert asked == [None, distill.VLLM]


def test_other_means_are_refused_before_anything_is_done(data: list[str], capsys: Capture) -> None:
    told = ran(capsys, "distill", "--replies", "llama", *data, status=2)
    assert "invalid choice: 'llama'" in told
