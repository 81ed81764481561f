"""Bars for one sample: kept by model and by tenant, taken away again, told where broken."""

from __future__ import annotations

import json
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from adaptation.evaluation.trial import Trial
from adaptation.report import FirstSample
from adaptation.voting.calibration import Calibration
from server.cli import main
from server.commands.eval_calibrate import calibrate_from
from server.config import ConfigError, Settings
from server.memory_opening import memory_of
from server.terminal import CommandError
from server.tuning.calibrations import CALIBRATIONS, FILE, keep
from tests.adaptation.evaluation.made_up import run, trial
from tests.server.composed import ASK, MODEL, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
FOUND = Calibration(bar=0.8, agreement=0.95, votes=200, accepted=120, agreed=119)


def test_each_model_has_its_own_bar(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert CALIBRATIONS.load(folder, "pebble") is None
    CALIBRATIONS.save(folder, "pebble", FOUND)
    other = FOUND.model_copy(update={"bar": 0.9})
    CALIBRATIONS.save(folder, "boulder", other)
    assert CALIBRATIONS.load(folder, "pebble") == FOUND
    assert CALIBRATIONS.load(folder, "boulder") == other
    CALIBRATIONS.save(folder, "pebble", None)
    assert CALIBRATIONS.load(folder, "pebble") is None
    assert CALIBRATIONS.load(folder, "boulder") == other


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pebble": {"bar": 2}}', "\udcff"])
def test_a_broken_file_says_what_to_do(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content, "utf-8", "surrogateescape")
    with pytest.raises(ConfigError, match="whet eval --calibrate"):
        CALIBRATIONS.load(tmp_path, "pebble")


def votes(won: bool) -> list[Trial]:
    """Return two hundred, and two that do not count."""
    first = [FirstSample(confidence=number / 200, won=won) for number in range(200)]
    of = {"arm": "consistency", "samples": 3}
    others = [
        trial(0, arm="ttt", samples=3, first_sample=first[0]),  # through an adapter
        trial(0, suite="lists", first_sample=first[0], **of),  # of another choice
    ]
    return [trial(n, first_sample=each, **of) for n, each in enumerate(first)] + others


def test_votes_of_a_run_become_a_bar_and_a_poor_run_takes_it_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path)
    calibrate_from(run(votes(won=True)), {"units"}, 0.95, settings)
    found = CALIBRATIONS.load(tmp_path, "whet-pebble")
    assert found is not None
    assert (found.bar, found.votes, found.agreed) == (0.0, 200, 200)
    assert "200 of 200 first samples" in capsys.readouterr().err
    calibrate_from(run(votes(won=False)), {"units"}, 0.95, settings)
    assert CALIBRATIONS.load(tmp_path, "whet-pebble") is None
    assert "no bar" in capsys.readouterr().err


def test_votes_too_few_to_show_anything_take_no_bar_away(tmp_path: Path) -> None:
    """A suite may be left out that the server cannot answer, after its questions were counted."""
    settings = Settings(data_dir=tmp_path)
    CALIBRATIONS.save(tmp_path, "whet-pebble", FOUND)
    with pytest.raises(CommandError, match="20 votes can show nothing: --calibrate takes 117"):
        calibrate_from(run(votes(won=True)[:20]), {"units"}, 0.95, settings)
    assert CALIBRATIONS.load(tmp_path, "whet-pebble") == FOUND


def kept_by_tenant(settings: Settings) -> dict[str, Any]:
    memory = memory_of(settings)
    try:
        found = memory.calibrations.of_model("whet-pebble")
        return {tenant: text and json.loads(text) for tenant, text in found.items()}
    finally:
        memory.close()


def test_a_tenants_votes_become_its_own_bar_and_a_poor_run_has_them_all_voted_on(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=data_dir, embedder="hashing")
    CALIBRATIONS.save(data_dir, "whet-pebble", FOUND)
    calibrate_from(run(votes(won=True)), {"units"}, 0.95, settings, "acme")
    told = capsys.readouterr().err
    assert "requests of tenant acme" in told
    assert [own["bar"] for own in kept_by_tenant(settings).values()] == [0.0]
    calibrate_from(run(votes(won=False)), {"units"}, 0.95, settings, "acme")
    assert "every question of tenant acme is voted on" in capsys.readouterr().err
    assert kept_by_tenant(settings) == {"acme": None}
    assert CALIBRATIONS.load(data_dir, "whet-pebble") == FOUND, "the model's own stays"


def test_a_tenant_that_is_reset_has_the_models_bar_again_and_is_told_so(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=data_dir, embedder="hashing")
    keep(FOUND, settings, "whet-pebble", "acme")
    keep(FOUND, settings, "whet-pebble", "globex")
    place = ["--data-dir", str(data_dir)]
    assert main(["tenants", "list", "--json", *place]) == 0
    listed = json.loads(capsys.readouterr().out)["data"]
    assert [(own["id"], own["calibrations"]) for own in listed] == [
        ("acme", ["whet-pebble"]),
        ("globex", ["whet-pebble"]),
    ]
    assert main(["tenants", "reset", "acme", *place]) == 0
    assert "its own calibration for whet-pebble is dropped" in capsys.readouterr().out
    assert list(kept_by_tenant(settings)) == ["globex"]
    assert main(["tenants", "reset", "acme", *place]) == 0
    assert "calibration" not in capsys.readouterr().out, "it had none any more"
    assert main(["tenants", "reset", "globex", "--json", *place]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["calibrations"], shown["dropped_calibrations"]) == ([], ["whet-pebble"])


def test_whose_calibration_it_is_is_shown_beside_the_limits(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(None, Settings(data_dir=data_dir, embedder="hashing"), "whet-pebble", "acme")
    place = ["--data-dir", str(data_dir)]
    assert main(["tenants", "list", *place]) == 0
    assert "acme" in capsys.readouterr().out
    assert main(["tenants", "set", "acme", "--weight", "2", *place]) == 0
    assert "calibrated by itself for whet-pebble" in capsys.readouterr().out


async def started(server: Composed, tenant: str) -> int:
    """Return how many samples a tenant's question takes."""
    asked = {"strategy": "consistency", "memory": {"write": False}}
    response = await server.http.post(
        "/v1/chat/completions", json={**ASK, "adaptation": asked}, headers={"X-Tenant": tenant}
    )
    samples: int = response.json()["adaptation"]["samples"]["started"]
    return samples


@pytest.mark.parametrize("of_model", [None, FOUND.model_copy(update={"bar": 0.0})])
async def test_each_tenant_is_served_by_its_own_bar_and_the_rest_by_the_models(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, of_model: Calibration | None
) -> None:
    CALIBRATIONS.save(data_dir, MODEL, of_model)
    given = {"embedder": "hashing", "trusted_header": "X-Tenant"}
    settings = Settings(data_dir=data_dir, **given)
    keep(FOUND.model_copy(update={"bar": 0.0}), settings, MODEL, "acme")
    keep(None, settings, MODEL, "globex")
    keep(FOUND.model_copy(update={"bar": 0.0}), settings, "another", "initech")
    serving = composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14"), **given)
    async with serving as server:
        assert await started(server, "acme") == 1
        assert await started(server, "globex") > 1
        assert (await started(server, "initech") == 1) == (of_model is not None)


@pytest.mark.parametrize("found", ["{", '{"bar": 2}', "[]", '"none"'])
async def test_one_that_cannot_be_read_has_its_tenant_voted_on_and_stops_no_server(
    found: str,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.WARNING)
    given = {"embedder": "hashing", "trusted_header": "X-Tenant"}
    settings = Settings(data_dir=data_dir, **given)
    for tenant in ("acme", "globex"):
        keep(FOUND.model_copy(update={"bar": 0.0}), settings, MODEL, tenant)
    with sqlite3.connect(data_dir / "whet.db") as broken:
        broken.execute("UPDATE calibration SET found = ? WHERE tenant = 'acme'", [found])
    broken.close()
    serving = composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14"), **given)
    async with serving as server:
        assert await started(server, "acme") > 1
        assert await started(server, "globex") == 1
    assert "calibration of tenant acme cannot be read" in caplog.text
    assert "whet tenants reset acme" in caplog.text
    assert main(["tenants", "reset", "acme", "--data-dir", str(data_dir)]) == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "dropped" in line]
    assert "whet-pebble is dropped" in told


async def test_where_every_question_is_voted_on_no_tenants_bar_counts(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"embedder": "hashing", "trusted_header": "X-Tenant"}
    keep(FOUND.model_copy(update={"bar": 0.0}), Settings(data_dir=data_dir, **given), MODEL, "acme")
    given["one_sample"] = False
    serving = composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14"), **given)
    async with serving as server:
        assert await started(server, "acme") > 1


def test_whose_bar_it_is_is_asked_for_with_the_bar_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["eval", "--tenant", "acme", "--suite", "units"]) == 2
    assert "--tenant goes with --detach or --calibrate" in capsys.readouterr().err


def test_a_bar_is_found_on_votes_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--calibrate", "--strategy", "ttt"]) == 2
    assert "no --strategy but consistency" in capsys.readouterr().err


def test_too_few_questions_to_show_anything_are_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CALIBRATIONS.save(tmp_path, "whet-pebble", FOUND)
    asked = ["eval", "--calibrate", "-n", "20", "--suite", "stories", "units"]
    assert main([*asked, "--data-dir", str(tmp_path)]) == 2
    assert "117 votes" in capsys.readouterr().err
    assert CALIBRATIONS.load(tmp_path, "whet-pebble") == FOUND
