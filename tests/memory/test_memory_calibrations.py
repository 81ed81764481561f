"""Calibrations of tenants: kept by tenant and model, replaced, forgotten, there after a restart."""

from __future__ import annotations

from pathlib import Path

from memory.embedder import Embedder
from memory.memory import LongTermMemory


def test_each_tenant_has_its_own_of_each_model(memory: LongTermMemory) -> None:
    memory.calibrations.set("ann", "pebble", {"bar": 0.5})
    memory.calibrations.set("ann", "boulder", {"bar": 0.6})
    memory.calibrations.set("bob", "pebble", {"bar": 0.7})
    memory.calibrations.set("bob", "pebble", None)
    assert memory.calibrations.of_model("pebble") == {"ann": {"bar": 0.5}, "bob": None}
    memory.calibrations.drop("ann")
    assert memory.calibrations.of_model("pebble") == {"bob": None}
    assert memory.calibrations.of_model("boulder") == {}


def test_they_are_there_for_whoever_opens_the_memory_next(
    data_dir: Path, embedder: Embedder
) -> None:
    opened = LongTermMemory.open(data_dir, embedder)
    opened.calibrations.set("ann", "pebble", {"bar": 0.5})
    opened.close()
    opened = LongTermMemory.open(data_dir, embedder)
    assert opened.calibrations.of_model("pebble") == {"ann": {"bar": 0.5}}
    opened.close()
