"""Which passes are recorded, replayed and let go of; a tape stands in for the device."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adaptation.learning.service import graphs
from adaptation.learning.service.base import Base
from adaptation.learning.service.graphs import MOST_KEPT, MOST_TOKENS, Graphs
from adaptation.learning.service.scheduler import ROOM, Room
from adaptation.learning.training.chat import Template
from adaptation.learning.training.trainer import TrainingJob, TrainingResult
from tests.adaptation.learning.models import base_of
from tests.adaptation.learning.running import run_jobs
from tests.adaptation.learning.tape import TapeRecorder
from tests.adaptation.learning.test_scheduler import different_jobs
from tests.adaptation.learning.test_static_pass import Drawn, gradients, parts_of, same

Job = Callable[..., TrainingJob]
SMALL: Drawn = [(0, [20, 12]), (0, [16])]
LONG: Drawn = [(0, [200]), (0, [190])]


@pytest.fixture
def base() -> Base:
    found = base_of("llama")
    for group in found.groups:
        group.make_room(16)
    return found


@pytest.fixture
def tape(base: Base) -> TapeRecorder:
    recorder = TapeRecorder()
    base.graphs = Graphs(base, recorder)
    return recorder


def kept(base: Base) -> int:
    assert base.graphs is not None
    return len(base.graphs.shapes)


def learn(base: Base, drawn: Drawn, rank: int = 3, times: int = 1) -> None:
    """Check what is learned against the ordinary pass."""
    for _ in range(times):
        parts = parts_of(base, drawn, rank)
        wanted, wanted_gradients = base.learn_once(parts), gradients(parts)
        same(base.learn(parts), wanted)
        for found, sought in zip(gradients(parts), wanted_gradients, strict=True):
            assert torch.allclose(found, sought, rtol=1e-3, atol=2e-5)


def test_a_shape_that_comes_again_is_recorded_and_then_replayed(
    base: Base, tape: TapeRecorder
) -> None:
    learn(base, SMALL)
    assert (tape.recorded, tape.replayed) == (0, 0)
    learn(base, SMALL)
    assert (tape.recorded, tape.replayed) == (1, 1)
    learn(base, [(3, [9, 4]), (0, [30])])
    learn(base, SMALL[:1])
    assert (tape.recorded, tape.replayed) == (1, 3), "what fits it shares it"


def test_adapters_of_two_ranks_have_a_pass_each_and_get_their_own_losses(
    base: Base, tape: TapeRecorder
) -> None:
    for _ in range(3):
        threes, fives = parts_of(base, SMALL, 3), parts_of(base, SMALL, 5)
        mixed = [threes[0], fives[0], threes[1], fives[1]]
        wanted, wanted_gradients = base.learn_once(mixed), gradients(mixed)
        same(base.learn(mixed), wanted)
        for found, sought in zip(gradients(mixed), wanted_gradients, strict=True):
            assert torch.allclose(found, sought, rtol=1e-3, atol=2e-5)
    assert (tape.recorded, tape.replayed) == (2, 4)


def test_recordings_are_few(base: Base, tape: TapeRecorder) -> None:
    for rank in range(1, MOST_KEPT + 3):
        learn(base, SMALL[1:], rank, times=2)
    assert kept(base) == MOST_KEPT
    learn(base, SMALL[1:], MOST_KEPT + 2)
    assert tape.recorded == MOST_KEPT + 2
    learn(base, SMALL[1:], 1)
    assert tape.recorded == MOST_KEPT + 2, "who had to go is recorded when it has come twice again"


def test_what_is_mostly_padding_is_not_worth_a_replay(
    base: Base, tape: TapeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "SMALL_TOKENS", 100)
    learn(base, [(0, [120]), (0, [5]), (0, [6]), (0, [4])], times=3)
    assert tape.recorded == 0
    learn(base, LONG, times=2)
    learn(base, [(0, [120]), (0, [150])])
    assert (tape.recorded, tape.replayed) == (1, 2)
    learn(base, LONG[:1])
    assert tape.replayed == 2, "a recording more than twice as large as needed is not used"


def test_no_recorded_pass_is_larger_than_the_room() -> None:
    assert ROOM["cuda"].tokens >= MOST_TOKENS


def test_a_model_that_cannot_be_captured_trains_without_and_says_so_once(
    base: Base, tape: TapeRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)  # a library of vLLM's has the root say errors alone
    tape.breaks = RuntimeError("operation not permitted when stream is capturing")
    learn(base, SMALL, times=3)
    tape.breaks = None
    learn(base, SMALL, times=3)
    learn(base, LONG, times=3)
    assert (tape.recorded, kept(base)) == (0, 0)
    said = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert len(said) == 1
    assert "not permitted" in said[0]


def test_what_finds_no_memory_is_not_tried_again_but_smaller_passes_are(
    base: Base, tape: TapeRecorder
) -> None:
    tape.breaks = torch.OutOfMemoryError("out of memory")
    learn(base, LONG, times=2)
    tape.breaks = None
    learn(base, LONG, times=3)
    assert (tape.recorded, tape.forgotten) == (0, 1)
    learn(base, SMALL, times=2)
    assert tape.recorded == 1


def test_recordings_that_hold_too_much_make_way_and_the_largest_does_not_come_back(
    base: Base, tape: TapeRecorder
) -> None:
    tape.allowed_bytes = 2**30
    learn(base, SMALL, times=2)
    tape.held_bytes = 2**30 + 1
    learn(base, LONG, times=2)
    assert kept(base) == 0
    tape.held_bytes = 0
    learn(base, LONG, times=3)
    assert kept(base) == 0
    learn(base, SMALL, times=2)
    assert kept(base) == 1


def test_recordings_do_not_outlive_the_place_of_the_weights_they_read(
    base: Base, tape: TapeRecorder
) -> None:
    learn(base, SMALL, times=2)
    base.adapter(16)
    assert kept(base) == 1
    base.adapter(17)
    assert kept(base) == 0
    learn(base, SMALL, times=3)
    base.free_memory()
    assert (kept(base), tape.recorded, tape.forgotten) == (0, 2, 2)


def test_a_recording_that_finds_other_losses_is_not_used(
    base: Base, tape: TapeRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    learn(base, SMALL, times=2)
    assert kept(base) == 1
    tape.loses_track = True
    learn(base, LONG, times=3)
    assert kept(base) == 0
    assert "nats off" in caplog.text
    learn(base, SMALL, times=3)
    assert kept(base) == 0, "what replays wrongly is not tried again"


def test_a_job_whose_losses_are_no_numbers_spoils_no_recording(
    base: Base, tape: TapeRecorder
) -> None:
    for _ in range(2):
        parts = parts_of(base, SMALL, 3)
        parts[0].adapter.master.fill_(float("nan"))
        parts[0].adapter.changed()
        base.learn(parts)
    assert kept(base) == 1
    learn(base, SMALL)


def test_jobs_that_join_and_leave_come_to_what_they_come_to_without_recordings(
    tiny_model: Path, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adaptation.learning.service.base.multiplies_bf16", lambda device: False)
    base, room = Base.load(str(tiny_model), Template(), "cpu"), Room(100_000, 3)
    usual = run_jobs(base, different_jobs(job, tmp_path / "a", 7), room)
    tape = TapeRecorder()
    base.graphs = Graphs(base, tape)
    for one, other in zip(
        usual, run_jobs(base, different_jobs(job, tmp_path / "b", 7), room), strict=True
    ):
        assert isinstance(one, TrainingResult)
        assert isinstance(other, TrainingResult)
        assert one.steps == other.steps
        assert other.losses == pytest.approx(one.losses, rel=1e-3)
    assert tape.replayed > 3
