"""Which models vLLM renders chats for with code of its own, in place of a Jinja template.

What such a model is given cannot be had without vLLM's engine, so nothing is trained on it offline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

HARMONY = "harmony"
"""Renderer of gpt-oss, whatever the tokenizer."""
BY_ARCHITECTURE: Mapping[str, str] = MappingProxyType(
    {
        "KimiK3ForConditionalGeneration": "kimi_k3",
        "DeepseekV32ForCausalLM": "deepseek_v32",
        "DeepseekV4ForCausalLM": "deepseek_v4",
        "DeepseekV4ForConditionalGeneration": "deepseek_v4",
        "DeepseekV41ForCausalLM": "deepseek_v41",
        "InklingForCausalLM": "inkling",
        "InklingForConditionalGeneration": "inkling",
        "GptOssForCausalLM": HARMONY,
    }
)
"""What vLLM 0.32 takes without being told, by the name in `config.json`."""
OF_MISTRAL = ("tekken.json", "tokenizer.model.v*")


def own_renderer(model: str) -> str | None:
    """Return the name of vLLM's own renderer for a model; None where it is a Jinja template."""
    folder = _folder(model)
    if folder is None:
        return None
    has_weights = any(folder.glob("consolidated*.safetensors"))
    if has_weights and any(any(folder.glob(pattern)) for pattern in OF_MISTRAL):
        return "mistral"
    return next((BY_ARCHITECTURE[name] for name in _names(folder) if name in BY_ARCHITECTURE), None)


def _folder(model: str) -> Path | None:
    """Return where a model's files lie; None for one that was never downloaded."""
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def _names(folder: Path) -> list[str]:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return []
    names = config.get("architectures") if isinstance(config, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
