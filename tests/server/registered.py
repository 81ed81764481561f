"""An adapter in the registry, without training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from adaptation.learning.training.adapter_files import WEIGHTS, write_config
from memory.memory import LongTermMemory
from memory.types import AdapterVersion
from memory.versions.adapters import NewVersion


def register(
    memory: LongTermMemory,
    tmp_path: Path,
    value: float,
    base_model: str = "whet-pebble",
    tenant: str = "default",
    record_ids: Collection[str] = (),
    name: str | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> AdapterVersion:
    """Put an adapter into the registry; `value` makes its content its own.

    With a `name` it is a fine-tuned model.
    """
    folder = tmp_path / f"trained-{tenant}-{value}"
    folder.mkdir()
    write_config(folder, rank=8, base_model="whet-pebble", modules=["q_proj"])
    module = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {
        f"{module}.lora_A.weight": np.full((8, 4), value, np.float32),
        f"{module}.lora_B.weight": np.zeros((4, 8), np.float32),
    }
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    return memory.adapters.register(
        folder,
        NewVersion(
            tenant=tenant,
            base_model=base_model,
            rank=8,
            record_ids=record_ids,
            name=name,
            metrics=dict(metrics or {}),
        ),
    )
