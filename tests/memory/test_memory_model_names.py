"""Fine-tuned models: their names are one tenant's, and go with their weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memory.errors import NotFoundError
from memory.memory import LongTermMemory
from memory.types import AdapterVersion
from memory.versions.adapter_shelf import AdapterShelf
from memory.versions.adapters import NewVersion
from tests.memory.adapters_made import write_adapter

NAME = "ft:whet-pebble:whet:units:abc123"


def tuned(
    memory: LongTermMemory, folder: Path, name: str = NAME, tenant: str = "ann"
) -> AdapterVersion:
    return memory.adapters.register(
        write_adapter(folder / "made"),
        NewVersion(tenant=tenant, base_model="whet-pebble", rank=2, name=name),
    )


def test_a_model_is_found_and_listed_by_its_tenant_alone(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    version = tuned(memory, tmp_path)
    assert memory.models.find("ann", NAME) == version
    assert memory.models.list("ann") == {NAME: version}
    assert memory.models.find("bob", NAME) is None
    assert memory.models.list("bob") == {}
    assert memory.adapters.alias("ann", "candidate") is None, "it is nobody's candidate"


def test_a_version_goes_with_its_name(memory: LongTermMemory, tmp_path: Path) -> None:
    version = tuned(memory, tmp_path)
    assert memory.adapters.files_ok(version)
    memory.models.remove("ann", NAME)
    assert memory.models.list("ann") == {}
    assert not memory.adapters.files_ok(version)
    retired = memory.adapters.show("ann", version.id).retired
    assert retired is not None
    assert "was deleted" in retired.reason


def test_a_deletion_that_was_cut_short_leaves_nothing_to_serve_or_keep(
    memory: LongTermMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = tuned(memory, tmp_path)
    with monkeypatch.context() as killed:
        killed.setattr(AdapterShelf, "drop", cut_short)
        with pytest.raises(KeyboardInterrupt):
            memory.models.remove("ann", NAME)
    assert memory.models.list("ann") == {}
    assert memory.adapters.show("ann", version.id).retired is not None
    os.utime(version.path, (0, 0))
    memory.adapters.drop_strays()
    assert not memory.adapters.files_ok(version)


def cut_short(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_same_weights_by_another_name_are_another_model(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    first, second = tuned(memory, tmp_path), tuned(memory, tmp_path, f"{NAME}4")
    assert first.id != second.id
    memory.models.remove("ann", NAME)
    assert memory.adapters.files_ok(second)
    again = tuned(memory, tmp_path, f"{NAME}5")
    assert memory.models.find("ann", f"{NAME}5") == again


def test_a_model_that_became_the_champion_keeps_its_weights(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    version = tuned(memory, tmp_path)
    memory.adapters.promote("ann", version.id)
    memory.models.remove("ann", NAME)
    champion = memory.adapters.alias("ann", "champion")
    assert champion is not None
    assert memory.adapters.files_ok(champion)


def test_what_is_no_models_name_or_not_there_is_refused(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    tuned(memory, tmp_path)
    for tenant, name in (("ann", "ft:none"), ("bob", NAME), ("ann", "candidate")):
        with pytest.raises(NotFoundError):
            memory.models.remove(tenant, name)
