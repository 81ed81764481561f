"""Which trainer settings ask for, and what is said where it cannot be had. No Ray cluster here."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from adaptation.learning.ray.trainer import PREFIX, RayTrainer
from adaptation.learning.training.chat import Template
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import Standing
from server import ray_check
from server.checks import Subject
from server.config import ConfigError, Settings
from server.startup import early
from server.telemetry.metrics import Actors
from server.trainers import at_once, placement_of, trainer_of


async def test_a_process_trains_unless_ray_is_asked_for() -> None:
    trainer = trainer_of("m", Template(), Settings(), 1)
    assert isinstance(trainer, ProcessTrainer)
    assert trainer.standing is None
    await trainer.close()


async def test_a_trainer_on_ray_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trainer = trainer_of("m", Template(), Settings(trainer="ray"), 1)
    assert isinstance(trainer, RayTrainer)
    assert trainer.status == "idle"
    (folder,) = os.listdir(tmp_path)  # noqa: PTH208
    assert folder.startswith(PREFIX)
    await trainer.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_actors_take_what_suits_the_model_where_nothing_is_said() -> None:
    placement = placement_of(Settings(trainer="ray"), 3)
    assert (placement.fewest, placement.most, placement.cpus, placement.gpus) == (1, 4, 3, None)
    many = Settings(trainer="ray", ray_actors=6, ray_cpus=2, ray_gpus=0.5, trainer_device="cuda")
    placement = placement_of(many, 3)
    assert (placement.fewest, placement.most, placement.cpus, placement.gpus) == (6, 6, 2, 0.5)
    assert placement.device == "cuda"
    assert at_once(many) == 6 * at_once(Settings())


@pytest.mark.parametrize(
    "address", ["", "here", "host", "host:port", "http://h:1", "ray://h", "a b:1"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="none of local, auto, HOST:PORT and ray://HOST:PORT"):
        Settings(ray_address=address)


@pytest.mark.parametrize("address", ["local", "auto", "h.x:6379", "ray://[::1]:10001", "[::1]:1"])
def test_what_is_an_address_is_taken(address: str) -> None:
    assert Settings(ray_address=address).ray_address == address


def test_ray_that_is_not_installed_keeps_the_server_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(early, "installed", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "whet\[ray\]"'):
        early._check_trainer(Settings(trainer="ray"))
    with pytest.raises(ConfigError, match="distill_ray = h:1: Ray is not installed"):
        early._check_trainer(Settings(distill_ray="h:1"))
    early._check_trainer(Settings())


def test_ray_chooses_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "installed", lambda name: "2.60.0")
    with pytest.raises(ConfigError, match="give auto, cpu or cuda"):
        early._check_trainer(Settings(trainer="ray", trainer_device="cuda:1"))
    early._check_trainer(Settings(trainer="ray", trainer_device="cuda"))


def test_the_doctor_says_what_ray_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def checked(found: str | None, **settings: str) -> tuple[str, str, str]:
        monkeypatch.setattr(ray_check, "installed", lambda name: found)
        check = ray_check.check_ray(Subject(Settings.model_validate(settings)))
        return check.status, check.found, check.remedy

    assert checked(None) == ("ok", "absent, and not needed", "")
    assert checked(None, trainer="ray") == ("fail", "not installed", 'pip install "whet[ray]"')
    assert checked("2.61.0", trainer="ray")[0] == "warn"
    assert checked("2.60.0", trainer="ray") == ("ok", "2.60.0, cluster: local", "")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        status, told, _ = checked("2.60.0", trainer="ray", ray_address=address)
        assert status == "fail"
        assert f"no Ray cluster is reached at {address}" in told
        listener.listen()
        assert checked("2.60.0", trainer="ray", ray_address=address)[0] == "ok"


def test_the_actors_are_counted_while_there_are_any() -> None:
    registry, standing = CollectorRegistry(), [Standing(actors=2, most=4), None]
    Actors(lambda: standing[-1], registry)
    assert registry.get_sample_value("whet_trainer_actors") == 0
    standing.pop()
    assert registry.get_sample_value("whet_trainer_actors") == 2
