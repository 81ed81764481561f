"""An adapter's files, as small as they can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from adaptation.learning.training.adapter_files import WEIGHTS, write_config

MODEL = "tortured"


def write_adapter(folder: Path, number: int) -> None:
    """Write a small adapter that differs from that of every other number."""
    folder.mkdir(exist_ok=True)
    write_config(folder, rank=4, base_model=MODEL, modules=["q_proj"])
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {
        f"{name}.lora_A.weight": np.full((4, 4), number, np.float32),
        f"{name}.lora_B.weight": np.full((4, 4), number % 97, np.float32),
    }
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
