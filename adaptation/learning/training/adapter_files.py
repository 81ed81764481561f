"""A LoRA as PEFT files, written so that vLLM and PEFT both load them; needs no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


def write_config(folder: Path, *, rank: int, base_model: str, modules: Iterable[str]) -> None:
    """Write the adapter's config into an existing folder.

    α = rank, since vLLM scales tensors in place otherwise. The folder isn't created: where it is
    missing its owner has deleted it, and nobody would delete it again.
    """
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "use_dora": False,
        "use_rslora": False,
        "target_modules": sorted({name.rpartition(".")[2] for name in modules}),
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def read_config(folder: Path) -> dict[str, Any]:
    """The adapter's config; raises `ValueError` where `folder` holds no usable LoRA."""
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{folder} holds no adapter: {error}") from error
    if config.get("peft_type") != "LORA" or not isinstance(config.get("r"), int):
        raise ValueError(f"{folder} holds no LoRA")
    if not (folder / WEIGHTS).is_file():
        raise ValueError(f"{folder} holds no {WEIGHTS}")
    return config


def scaling(config: dict[str, Any]) -> float:
    """What B·A is multiplied by."""
    return float(config.get("lora_alpha", config["r"])) / float(config["r"])
