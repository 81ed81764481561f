"""Weights that are given up again leave nothing behind, whatever was killed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from adaptation.learning.scratch import PREFIX, remove_left, scratch


def test_a_folder_goes_with_its_block_and_that_of_a_killed_process_with_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed = tmp_path / f"{PREFIX}999999999-x"
    killed.mkdir()
    (killed / "adapter_model.safetensors").write_text("weights")
    with scratch() as folder:
        assert Path(folder).name.startswith(f"{PREFIX}{os.getpid()}-")
        remove_left()
        assert [each.name for each in tmp_path.iterdir()] == [Path(folder).name]
    assert not list(tmp_path.iterdir())
