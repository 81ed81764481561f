"""How many processes a generation has where no cluster does it."""

from __future__ import annotations

from typing import Any

import pytest

from adaptation.learning.distillation.spread import Spread
from adaptation.learning.training.process import ProcessTrainer
from adaptation.pebble import model_path
from server.jobs.kinds import distill
from server.jobs.of_base import OfBase
from server.startup.fitting import GIB
from server.startup.machine import Machine

PEBBLE = OfBase(model=str(model_path()))


@pytest.mark.parametrize(("cores", "device", "are_several"), [(2, "cpu", True), (1, "cpu", False)])
def test_a_small_model_has_a_process_for_each_core(
    monkeypatch: pytest.MonkeyPatch, cores: int, device: str, are_several: bool
) -> None:
    monkeypatch.setattr(distill, "this_machine", lambda: Machine(cores, 16 * GIB))
    trainer = distill.make_trainer(PEBBLE, device)
    assert isinstance(trainer, Spread if are_several else ProcessTrainer)
    assert (trainer.beside() is not None) == are_several


def test_an_accelerator_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distill, "this_machine", lambda: Machine(8, 64 * GIB))
    monkeypatch.setattr(distill, "device_name", lambda device: "cuda-0123")
    assert isinstance(distill.make_trainer(PEBBLE, "auto"), ProcessTrainer)


def test_no_accelerator_is_looked_for_where_there_is_one_process_anyway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = list[str]()
    monkeypatch.setattr(distill, "this_machine", lambda: Machine(1, 16 * GIB))
    monkeypatch.setattr(distill, "device_name", looked.append)
    assert isinstance(distill.make_trainer(PEBBLE, "auto"), ProcessTrainer)
    assert not looked


def test_a_process_trains_with_as_many_threads_whatever_memory_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = list[int | None]()

    class Noted(ProcessTrainer):
        def __init__(self, *given: Any, threads: int | None = None, **more: Any) -> None:
            super().__init__(*given, threads=threads, **more)
            made.append(threads)

    monkeypatch.setattr(distill, "ProcessTrainer", Noted)
    for free in (1, 5, 64):
        monkeypatch.setattr(distill, "this_machine", lambda free=free: Machine(8, free * GIB))
        distill.make_trainer(PEBBLE, "cpu")
    assert made == [1] * (1 + 2 + 4)
