"""The registry that `whet eval --adapter` serves from: a copy; the user's stays as it is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from memory.embedding.embedder import create_embedder
from memory.errors import NotFoundError
from memory.memory import LongTermMemory
from server.commands.eval_server import promote_copy
from server.config import Settings
from tests.server.test_champion import register


def opened(folder: Path) -> closing[LongTermMemory]:
    return closing(LongTermMemory.open(folder, create_embedder("hashing")))


@pytest.mark.parametrize("name", ["candidate", "the id"])
def test_a_version_is_champion_of_the_copy_only(tmp_path: Path, name: str) -> None:
    theirs, ours = tmp_path / "data", tmp_path / "copy"
    with opened(theirs) as memory:
        version = register(memory, tmp_path, 1.0)
    promote_copy(version.id if name == "the id" else name, Settings(data_dir=theirs), ours)
    with opened(ours) as memory:
        champion = memory.adapters.alias("default", "champion")
        assert champion is not None
        assert champion.base_model == version.base_model
        assert memory.adapters.files_ok(champion)
        assert Path(champion.path).is_relative_to(ours)
    with opened(theirs) as memory:
        assert memory.adapters.alias("default", "champion") is None


def test_a_version_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="ad_none"):
        promote_copy("ad_none", Settings(data_dir=tmp_path / "data"), tmp_path / "copy")
