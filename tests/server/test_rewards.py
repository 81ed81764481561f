"""The setting that names a reward model: checked before the engine starts, ended with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from server.config import ConfigError, Settings
from server.policy import check_files
from server.rewards import BYTES, held_bytes, open_rewards
from server.settings.setting_sources import resolve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is read of a reward model before it is loaded."""
    names = ["BertForSequenceClassification"]
    (tmp_path / "config.json").write_text(json.dumps({"architectures": names}))
    save_file({"w": np.zeros((7, 3), np.float16)}, tmp_path / "model.safetensors")
    return tmp_path


def test_the_folder_is_absolute_and_may_be_none(folder: Path) -> None:
    assert resolve({}, {}).settings.reward_model is None
    assert resolve({"reward_model": "none"}, {}).settings.reward_model is None
    found = resolve({"reward_model": "~/judge"}, {}).settings.reward_model
    assert found == Path("~/judge").expanduser()
    check_files(Settings(reward_model=folder), "whet-pebble")


def test_a_folder_that_is_no_reward_model_is_refused_before_the_engine_starts(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    for given, words in (
        (tmp_path, r"names LlamaForCausalLM; give the folder of a \*ForSequenceClassification"),
        (tmp_path / "none", "there is no such folder"),
    ):
        with pytest.raises(ConfigError, match=words) as refused:
            check_files(Settings(reward_model=given), "whet-pebble")
        assert str(refused.value).startswith(f"reward_model = {given}: ")
        assert "\n" not in str(refused.value)


def test_its_weights_are_counted_from_the_heads_of_its_files(folder: Path) -> None:
    assert held_bytes(folder) == BYTES * 7 * 3
    assert held_bytes(None) == 0
    (folder / "model.safetensors").write_bytes(b"none")
    assert held_bytes(folder) == 0


async def test_without_the_setting_there_is_no_process() -> None:
    async with open_rewards(Settings(), 1) as rewards:
        assert rewards is None


async def test_the_process_ends_with_the_server(folder: Path) -> None:
    async with open_rewards(Settings(reward_model=folder, reward_device="cpu"), 1) as rewards:
        assert rewards is not None
        assert rewards.status == "starting"
    assert rewards.status == "closed"
    assert rewards.pid is None
