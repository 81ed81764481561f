"""Calibrations of tenants: kept by tenant and model, replaced, forgotten, there after a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from memory.embedding.embedder import Embedder
from memory.memory import LongTermMemory


def of_model(memory: LongTermMemory, model: str) -> dict[str, Any]:
    found = memory.calibrations.of_model(model)
    return {tenant: text and json.loads(text) for tenant, text in found.items()}


def test_each_tenant_has_its_own_of_each_model(memory: LongTermMemory) -> None:
    memory.calibrations.set("ann", "pebble", {"bar": 0.5})
    memory.calibrations.set("ann", "boulder", {"bar": 0.6})
    memory.calibrations.set("bob", "pebble", {"bar": 0.7})
    memory.calibrations.set("bob", "pebble", None)
    assert of_model(memory, "pebble") == {"ann": {"bar": 0.5}, "bob": None}
    assert memory.calibrations.models() == {"ann": ["boulder", "pebble"], "bob": ["pebble"]}
    assert memory.calibrations.drop("ann") == ["boulder", "pebble"]
    assert of_model(memory, "pebble") == {"bob": None}
    assert of_model(memory, "boulder") == {}
    assert memory.calibrations.models() == {"bob": ["pebble"]}
    assert memory.calibrations.drop("ann") == []


def test_they_are_there_for_whoever_opens_the_memory_next(
    data_dir: Path, embedder: Embedder
) -> None:
    opened = LongTermMemory.open(data_dir, embedder)
    opened.calibrations.set("ann", "pebble", {"bar": 0.5})
    opened.close()
    opened = LongTermMemory.open(data_dir, embedder)
    assert of_model(opened, "pebble") == {"ann": {"bar": 0.5}}
    opened.close()
