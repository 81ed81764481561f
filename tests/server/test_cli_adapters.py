"""`whet adapters` on models that were fine-tuned."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from memory.versions.standing import FINE_TUNED, OBJECTIONS
from server.cli import main
from server.config import Settings
from server.memory_opening import memory_of
from tests.server.registered import register

TUNED = {"decision": FINE_TUNED, OBJECTIONS: []}


def test_a_fine_tuned_model_is_named_and_the_retired_are_left_out(
    data: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    name = "ft:whet-pebble:whet:lamps:0123456789ab"
    with closing(memory_of(Settings(data_dir=Path(data[1]), embedder="hashing"))) as memory:
        model = register(memory, tmp_path, 0.1, name=name, metrics=TUNED).id
        old = register(memory, tmp_path, 0.2, name=f"{name}:ckpt-step-7", metrics=TUNED).id
        memory.models.remove("default", f"{name}:ckpt-step-7")
    assert main(["adapters", "list", *data]) == 0
    listed = capsys.readouterr().out
    assert name in listed
    assert old not in listed
    assert "of fine-tuning, retired: 1 more (`whet adapters list --all`)" in listed
    assert main(["adapters", "list", "--all", *data]) == 0
    assert old in capsys.readouterr().out
    assert main(["adapters", "show", name, "--json", *data]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == model
    assert main(["adapters", "promote", name, *data]) == 0
    assert capsys.readouterr().out == f"champion: {model}\n"
    assert main(["adapters", "show", f"{name}:ckpt-step-7", *data]) == 1
    assert "`whet adapters list` shows what there is" in capsys.readouterr().err
