"""The file of bars: kept by model, taken away again, and told where it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptation.evaluation.trial import Trial
from adaptation.report import FirstSample
from adaptation.voting.calibration import Calibration
from server.calibrations import CALIBRATIONS, FILE
from server.cli import main
from server.commands.eval_calibrate import calibrate_from
from server.config import ConfigError, Settings
from tests.adaptation.evaluation.made_up import run, trial

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


def test_votes_of_a_run_become_a_bar_and_a_poor_run_takes_it_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def votes(won: bool) -> list[Trial]:
        first = [FirstSample(confidence=number / 200, won=won) for number in range(200)]
        of = {"arm": "consistency", "samples": 3}
        others = [
            trial(0, arm="ttt", samples=3, first_sample=first[0]),  # through an adapter
            trial(0, suite="lists", first_sample=first[0], **of),  # of another choice
        ]
        return [trial(n, first_sample=each, **of) for n, each in enumerate(first)] + others

    settings = Settings(data_dir=tmp_path)
    calibrate_from(run(votes(won=True)), {"units"}, 0.95, settings)
    found = CALIBRATIONS.load(tmp_path, "whet-pebble")
    assert found is not None
    assert (found.bar, found.votes, found.agreed) == (0.0, 200, 200)
    assert "200 of 200 first samples" in capsys.readouterr().err
    calibrate_from(run(votes(won=False)), {"units"}, 0.95, settings)
    assert CALIBRATIONS.load(tmp_path, "whet-pebble") is None
    assert "no bar" in capsys.readouterr().err


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
