"""How large a model is: read from its settings and the heads of its files, nothing is loaded."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG = "config.json"
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of one number; a model that names no type is loaded with 16 bits."""
MOST_HEADER_BYTES = 100_000_000
"""As the format itself allows."""


@dataclass(frozen=True)
class Size:
    """What decides the cost of a model."""

    parameters: int
    weight_bytes: int
    token_bytes: int
    """Keys and values of one token, in all layers."""
    context_tokens: int
    """The longest text it was made for."""


def size_of(model: str) -> Size | None:
    """Return the size of a model in a folder, or of one that a hub's cache holds; None: unknown."""
    folder = folder_of(model)
    if folder is None:
        return None
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        config = config.get("text_config", config)
        tensors = _all_tensors(folder)
        parameters = _parameters(tensors)
        stored = sum(end - start for start, end in (tensor["data_offsets"] for tensor in tensors))
        token_bytes, context = _token_bytes(config), int(config["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None
    return Size(parameters, stored, token_bytes, context) if parameters else None


def parameters_of(folder: Path) -> int:
    """Return how many numbers a model is made of; 0 where its files do not tell."""
    try:
        return _parameters(_all_tensors(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return 0


def weight_bytes_of(folder: Path) -> int:
    """Return how large its weights are on disk; 0 where there are none that are known."""
    found = [*folder.glob("*.safetensors")] or [*folder.glob("*.bin")]
    return sum(file.stat().st_size for file in found)


def _parameters(tensors: list[dict[str, Any]]) -> int:
    return sum(math.prod(tensor["shape"]) for tensor in tensors)


def folder_of(model: str) -> Path | None:
    """Return where a model lies: a folder, or a hub's cache; None where it is not here yet."""
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    try:
        from huggingface_hub import try_to_load_from_cache  # slips need none of it

        cached = try_to_load_from_cache(model, CONFIG)
    except ValueError:  # not the form of a hub's name
        return None
    return Path(cached).parent if isinstance(cached, str) else None


def _all_tensors(folder: Path) -> list[dict[str, Any]]:
    return [tensor for file in folder.glob("*.safetensors") for tensor in _tensors(file)]


def _tensors(file: Path) -> list[dict[str, Any]]:
    """Return what the head of a safetensors file says of each tensor."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        if length > MOST_HEADER_BYTES:
            raise ValueError(f"{file} has no header of a safetensors file")
        header: dict[str, dict[str, Any]] = json.loads(opened.read(length))
    return [tensor for name, tensor in header.items() if name != "__metadata__"]


def _token_bytes(config: dict[str, Any]) -> int:
    """Return 2 · layers · heads · width · bytes; models that keep less are taken for larger."""
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    kept = config.get("num_key_value_heads") or heads
    kind = str(config.get("dtype") or config.get("torch_dtype")).removeprefix("torch.")
    return int(2 * config["num_hidden_layers"] * kept * width * BYTES.get(kind, 2))
