"""What tells one measurement from another: the weights, the code, the settings."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import pytest

from adaptation.pebble import model_path
from server.commands import eval_versions
from server.commands.eval_server import chosen
from server.config import Settings
from server.models.catalogue import BUILT_IN


def test_a_model_made_anew_in_the_same_folder_is_another_model(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"first")
    first = eval_versions._model_version("m", tmp_path)
    weights.write_bytes(b"second")
    assert eval_versions._model_version("m", tmp_path) != first


def test_the_built_in_model_and_its_folder_are_one_version(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    named, given = (argparse.Namespace(model=m) for m in (BUILT_IN, str(model_path())))
    assert eval_versions._folder(settings, named) == eval_versions._folder(settings, given)
    assert eval_versions._model_version(BUILT_IN, model_path()) != BUILT_IN


def test_of_a_served_model_its_name_is_all_that_is_known() -> None:
    assert eval_versions._model_version("org/model", None) == "org/model"


def test_every_edit_of_the_code_is_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@localhost")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    code = tmp_path / "code.py"
    code.write_text("one", "utf-8")
    git("init")
    git("add", "code.py")
    git("commit", "-m", "one")
    monkeypatch.setattr(eval_versions, "ROOT", tmp_path)
    versions = [eval_versions._code_version()]
    for text in ("two", "three"):
        code.write_text(text, "utf-8")
        versions.append(eval_versions._code_version())
    assert len(set(versions)) == 3
    assert versions[1].startswith(f"{versions[0]}-")


def test_settings_that_were_chosen_are_said_and_served_and_defaults_are_not(
    tmp_path: Path,
) -> None:
    assert chosen(Settings(data_dir=tmp_path)) == {}
    settings = Settings(data_dir=tmp_path, stopping_rule="beta", one_sample=False)
    found = chosen(settings)
    assert set(found) == {"stopping_rule", "one_sample"}
    assert Settings.model_validate({"data_dir": tmp_path, **found}) == settings
