"""An adapter's files, as small as they can be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from memory.versions.adapter_files import CONFIG, WEIGHTS


def write_adapter(folder: Path, value: float = 1.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.full((2, 4), value, np.float32)
    save_file({"model.layers.0.q_proj.lora_A.weight": weights}, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps({"r": 2}))
    (folder / "optimizer.pt").write_bytes(b"not to be kept")
    return folder
