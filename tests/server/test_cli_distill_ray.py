"""`whet distill --ray`: whom it asks, and that nobody else asks a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adaptation.learning.distillation.pieces import Pieces
from adaptation.learning.distillation.spread import Spread
from adaptation.learning.ray.placement import Placement
from adaptation.learning.ray.trainer import RayTrainer
from adaptation.learning.training.fake import FakeTrainer
from server.cli import main
from server.jobs import means, spreading
from server.jobs.kinds import distill
from tests.server.learning import ran, solves


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Placement]:
    """What is asked of clusters, by trainers that are none."""
    found = list[Placement]()

    def place(model: str, placement: Placement, **how: object) -> FakeTrainer:
        found.append(placement)
        return FakeTrainer(answer=solves)

    monkeypatch.setattr(spreading, "RayTrainer", place)
    monkeypatch.setattr(means, "installed", lambda name: "2.60.0")
    return found


def test_the_workers_of_the_cluster_that_is_named_do_a_generation(
    data: list[str], asked: list[Placement], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--ray", "10.0.0.5:6379", "--distill-workers", "8")
    told = ran(capsys, "distill", *words, *data)
    assert "promoted" in told
    (placement,) = asked
    assert (placement.address, placement.fewest, placement.most) == ("10.0.0.5:6379", 8, 8)
    job = json.loads(ran(capsys, "jobs", "list", "--json", *data[:2]))["data"][0]
    assert job["request"]["ray"] == "10.0.0.5:6379"
    log = ran(capsys, "jobs", "logs", job["id"], *data[:2])
    assert "8 workers are asked of the Ray cluster at 10.0.0.5:6379" in log


def test_a_cluster_without_an_address_is_that_of_this_machine_and_a_setting_says_so_too(
    data: list[str],
    asked: list[Placement],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran(capsys, "distill", "--ray", "--bare", "learn", *data)
    monkeypatch.setenv("WHET_DISTILL_RAY", "local")
    ran(capsys, "distill", "--bare", "learn", *data)
    assert [placement.address for placement in asked] == ["auto", "local"]


def test_nobody_asks_a_cluster_without_being_told_to(
    data: list[str], asked: list[Placement], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distill, "make_trainer", lambda *_: FakeTrainer(answer=solves))
    assert main(["distill", *data]) == 0
    assert not asked


def test_an_address_that_is_none_is_refused_before_anything_is_done(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = ran(capsys, "distill", "--ray", "somewhere", *data, status=2)
    assert "HOST:PORT" in told


async def test_a_spread_over_a_cluster_that_is_not_asked_starts_nothing(tmp_path: Path) -> None:
    trainer = RayTrainer("whet-pebble", Placement(address="127.0.0.1:1"))
    spread = Spread(trainer, 2, Pieces(tmp_path))
    assert spread.parameters is None
    assert trainer.pid is None
    await spread.close()
    assert trainer.status == "closed"
