"""`whet rebase`: the champion of one base, made again on another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adaptation.learning.training.fake import FakeTrainer
from memory.memory import LongTermMemory
from memory.offline.job import Job
from server.commands.doing import done_here
from server.config import Settings
from server.jobs.kinds import distill
from tests.server.learning import Capture, ran, solves

OTHER = "other-base"


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> FakeTrainer:
    made = FakeTrainer(answer=solves)
    monkeypatch.setattr(distill, "make_trainer", lambda *_: made)
    return made


def test_the_new_base_is_judged_without_the_old_ones_adapter_and_takes_over(
    data: list[str], trainer: FakeTrainer, capsys: Capture
) -> None:
    old = json.loads(ran(capsys, "distill", "--json", *data))
    assert old["decision"] == "promoted"
    new = json.loads(ran(capsys, "rebase", "--model", OTHER, "--json", *data))
    assert (new["decision"], new["base_model"], new["current"]) == ("promoted", OTHER, None)
    assert new["accuracy"]["current"] == new["accuracy"]["base"] == 0.0, "no adapter of the old"
    aliases = json.loads(ran(capsys, "adapters", "list", "--json", *data))["aliases"]
    assert (aliases["champion"], aliases["previous"]) == (new["adapter"], old["adapter"])
    ran(capsys, "adapters", "rollback", *data)
    aliases = json.loads(ran(capsys, "adapters", "list", "--json", *data))["aliases"]
    assert aliases["champion"] == old["adapter"]
    ran(capsys, "adapters", "promote", new["adapter"], *data)
    aliases = json.loads(ran(capsys, "adapters", "list", "--json", *data))["aliases"]
    assert aliases["champion"] == new["adapter"], "what was rolled back can be had again"


def test_questions_are_read_by_the_embedder_that_was_asked_for(
    data: list[str], trainer: FakeTrainer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(capsys, "distill", *data)
    seen: list[str] = []

    def noting(memory: LongTermMemory, settings: Settings, job: Job) -> dict[str, Any]:
        seen.append(settings.embedder)
        return done_here(memory, settings, job)

    monkeypatch.setattr("server.commands.distill.done_here", noting)
    given = [*data[:2], "--embedder", "minilm"]
    ran(capsys, "rebase", "--model", OTHER, "--dry-run", *given)
    assert seen == ["minilm"], "looking for the champion embeds nothing, the generation does"


def test_without_a_champion_there_is_nothing_to_rebase(data: list[str], capsys: Capture) -> None:
    said = ran(capsys, "rebase", "--model", OTHER, *data, status=1)
    assert f"`whet distill --model {OTHER}` makes one" in said


def test_a_champion_of_that_base_is_named(
    data: list[str], trainer: FakeTrainer, capsys: Capture
) -> None:
    ran(capsys, "distill", *data)
    said = ran(capsys, "rebase", "--model", "whet-pebble", *data, status=1)
    assert "is of whet-pebble already" in said


def test_the_new_base_must_be_named(data: list[str], capsys: Capture) -> None:
    assert "--model" in ran(capsys, "rebase", *data, status=2)
