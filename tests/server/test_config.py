"""Four places a setting may come from, and the words for a wrong one."""

import argparse
from pathlib import Path
from typing import get_args

import pytest

from adaptation.voting.stopping import RULES
from adaptation.voting.stopping.bayesian import PRICE
from adaptation.voting.weights import NAMES
from server.config import ConfigError, Settings
from server.settings.flags import add_arguments, flags_of, print_config, take_config
from server.settings.setting_sources import resolve


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    (tmp_path / "whet.toml").write_text("max_samples = 2\nconfidence = 0.6\ntemperature = 0.5\n")
    env = {"WHET_MAX_SAMPLES": "3", "WHET_CONFIDENCE": "0.7", "HOME": "/somewhere"}
    resolved = resolve({"max_samples": "4"}, env)
    settings = resolved.settings
    assert (settings.max_samples, settings.confidence, settings.temperature) == (4, 0.7, 0.5)
    assert settings.train_rank == Settings().train_rank
    assert resolved.sources["max_samples"] == "--max-samples"
    assert resolved.sources["confidence"] == "WHET_CONFIDENCE"
    assert resolved.sources["temperature"] == "whet.toml"
    assert resolved.sources["train_rank"] == "default"


def test_a_named_file_beats_the_default_file(tmp_path: Path) -> None:
    (tmp_path / "whet.toml").write_text("max_samples = 2\n")
    (tmp_path / "other.toml").write_text("max_samples = 5\n")
    assert resolve({}, {}, tmp_path / "other.toml").settings.max_samples == 5
    assert resolve({}, {"WHET_CONFIG": "other.toml"}).settings.max_samples == 5


def test_the_config_folder_is_looked_at_where_there_is_no_file_here(tmp_path: Path) -> None:
    (tmp_path / "config" / "whet").mkdir(parents=True)
    (tmp_path / "config" / "whet" / "whet.toml").write_text('strategy = "auto"\n')
    assert resolve({}, {}).settings.strategy == "auto"


def test_the_key_of_those_who_ask_is_no_setting_of_the_server() -> None:
    assert resolve({}, {"WHET_API_KEY": "secret"}).sources == resolve({}, {}).sources


@pytest.mark.parametrize(
    ("flags", "env", "file", "words"),
    [
        ({}, {}, "max_sampels = 3", ["whet.toml", "`max_sampels`", "mean `max_samples`"]),
        ({}, {"WHET_STRATGY": "auto"}, "", ["`WHET_STRATGY`", "mean `WHET_STRATEGY`"]),
        ({"nonsense": "1"}, {}, "", ["`nonsense`"]),
        ({"max_samples": "99"}, {}, "", ["--max-samples", "'99'", "64"]),
        ({}, {"WHET_CONFIDENCE": "high"}, "", ["WHET_CONFIDENCE", "'high'", "number"]),
        ({"confidence": "3"}, {}, "", ["--confidence: confidence = '3': must be below 1"]),
        ({"max_samples": "0"}, {}, "", ["max_samples = '0': must be at least 1"]),
        ({"reuse": "perhaps"}, {}, "", ["reuse = 'perhaps': must be true or false"]),
        ({}, {"WHET_STOPPING_RULE": "never"}, "", ["'never': must be one of 'bayesian'"]),
        (
            {"temperatures": "0.5,0"},
            {},
            "",
            ["--temperatures: temperatures = '0': must be above"],
        ),
        ({"temperatures": "0.5,,1"}, {}, "", ["--temperatures: temperatures = ''", "number"]),
        ({"temperatures": "0.5,nan"}, {}, "", ["temperatures = 'nan'"]),
        ({}, {}, "temperatures = [0.5, 2.5]", ["whet.toml: temperatures = 2.5: must be at most 2"]),
        ({"temperatures": ",".join("1" * 65)}, {}, "", ["--temperatures", "64"]),
        ({"vote_weight": "novel"}, {}, "", ["--vote-weight", "'novelty'"]),
        ({"embedder": "magic"}, {}, "", ["--embedder: embedder = 'magic': ", "minilm"]),
        ({}, {}, "max_samples = [", ["whet.toml", "TOML"]),
        ({}, {}, 'strategy = "guess"', ["whet.toml", "strategy", "'plain'"]),
        ({}, {}, 'strategi = "auto"', ["unknown setting `strategi`; did you mean `strategy`?"]),
        ({}, {}, "port = 8001", ["unknown setting `port`; remove it (vLLM's are flags only)"]),
        ({}, {"WHET_CONFIG": "absent.toml"}, "", ["absent.toml", "No such file"]),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(
    tmp_path: Path, flags: dict[str, str], env: dict[str, str], file: str, words: list[str]
) -> None:
    if file:
        (tmp_path / "whet.toml").write_text(file)
    with pytest.raises(ConfigError) as caught:
        resolve(flags, env)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_none_can_be_spelt_where_a_setting_may_be_absent() -> None:
    assert resolve({"wall_s": "none", "learning_rate": "none"}, {}).settings.wall_s is None
    assert resolve({"wall_s": "2.5"}, {}).settings.wall_s == 2.5


def test_the_data_folder_is_absolute_and_knows_the_tilde(tmp_path: Path) -> None:
    assert resolve({"data_dir": "~/d"}, {}).settings.data_dir == Path("~/d").expanduser()
    assert resolve({"data_dir": "d"}, {}).settings.data_dir == tmp_path / "d"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "whet.toml").write_text('data_dir = "d"\n')
    found = resolve({}, {}, Path("sub/whet.toml")).settings.data_dir
    assert found == tmp_path / "sub" / "d"


def test_every_setting_is_a_flag_with_help_and_only_given_flags_are_returned() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    text = parser.format_help()
    for name, field in Settings.model_fields.items():
        assert "--" + name.replace("_", "-") in text
        assert field.description
    namespace = parser.parse_args(["--max-samples", "4", "--data-dir=x"])
    assert flags_of(namespace) == {"max_samples": "4", "data_dir": "x"}


def test_arguments_can_be_limited_to_some_settings() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, only={"data_dir"})
    with pytest.raises(SystemExit):
        parser.parse_args(["--max-samples", "4"])


def test_a_toml_config_is_ours_and_a_yaml_config_is_vllms() -> None:
    assert take_config(["a", "--config", "w.toml", "b"]) == (Path("w.toml"), ["a", "b"])
    assert take_config(["--config=w.toml"]) == (Path("w.toml"), [])
    assert take_config(["--config", "v.yaml", "b"]) == (None, ["--config", "v.yaml", "b"])
    assert take_config(["--config"]) == (None, ["--config"])


def test_the_printed_settings_name_each_source(capsys: pytest.CaptureFixture[str]) -> None:
    print_config(resolve({"train_rank": "16"}, {"WHET_EMBEDDER": "hashing"}))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["train_rank", "16", "--train-rank"] for line in lines)
    assert any(line.split() == ["embedder", "hashing", "WHET_EMBEDDER"] for line in lines)


def test_what_is_printed_is_taken_again(capsys: pytest.CaptureFixture[str]) -> None:
    flags = {"reuse": "false", "limit_tokens": "none", "wall_s": "20", "temperatures": "0.5,1"}
    given = resolve(flags, {})
    print_config(given)
    printed = {
        name: value
        for name, value, *_ in (line.split() for line in capsys.readouterr().out.splitlines()[1:])
    }
    assert (printed["reuse"], printed["one_sample"], printed["limit_tokens"]) == (
        "false",
        "true",
        "none",
    )
    assert resolve(printed, {}).settings == given.settings


def test_every_rule_and_every_weight_can_be_chosen() -> None:
    fields = Settings.model_fields
    assert set(get_args(fields["stopping_rule"].annotation)) == set(RULES)
    assert get_args(fields["vote_weight"].annotation) == NAMES
    assert fields["sample_price"].default == PRICE


def test_a_schedule_of_temperatures_is_a_list_however_it_is_written(tmp_path: Path) -> None:
    assert resolve({}, {}).settings.temperatures == ()
    assert resolve({"temperatures": "none"}, {}).settings.temperatures == ()
    assert resolve({"temperatures": "0.5, 0.8,1.2"}, {}).settings.temperatures == (0.5, 0.8, 1.2)
    (tmp_path / "whet.toml").write_text("temperatures = [0.5, 1]\n")
    assert resolve({}, {}).settings.temperatures == (0.5, 1.0)


@pytest.mark.parametrize(
    ("flags", "value"),
    [([], False), (["--idle-training"], True), (["--idle-training", "true"], True)],
)
def test_a_bare_switch_says_true(flags: list[str], value: bool) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert resolve(flags_of(parser.parse_args(flags)), {}).settings.idle_training is value
