"""The names of adapter versions, as commands and routes list them."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from server.adapters.aliases import aliases_of
from server.cli import main
from tests.server.registered import register

NAME = "ft:whet-pebble:whet:units:abc123"


def test_fine_tuned_models_are_among_the_names_of_their_tenant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    try:
        candidate = register(memory, tmp_path, 1.0)
        tuned = register(memory, tmp_path, 2.0, name=NAME)
        register(memory, tmp_path, 3.0, name=f"{NAME}4", tenant="bob")
        expected = {"candidate": candidate.id, NAME: tuned.id}
        assert aliases_of(memory.adapters, "default") == expected
    finally:
        memory.close()
    where = ["--data-dir", str(tmp_path / "data"), "--embedder", "hashing"]
    assert main(["adapters", "list", *where]) == 0
    assert "ft:whet-pebble" in capsys.readouterr().out
