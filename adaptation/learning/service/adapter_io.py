"""Adapters to and from PEFT files, as vLLM and PEFT load them."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from adaptation.errors import TrainerError
from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.base import Base
from adaptation.learning.training.adapter_files import WEIGHTS, read_config, scaling, write_config

MOST_RANK = 512
PREFIX = "base_model.model."
"""What PEFT puts before the names of modules."""


def fresh(base: Base, rank: int, seed: int) -> Adapter:
    """Return an adapter that changes nothing yet: A random by `seed`, B = 0."""
    adapter = base.adapter(rank)
    adapter.randomise(seed)
    return adapter


def read(base: Base, folder: str, rank: int = 1, seed: int = 0) -> Adapter:
    """Return the adapter in `folder`; raises `ValueError` where it does not fit.

    One of lower rank is widened: its new rows of B are 0, so the function is the same; one of
    higher rank keeps its rank.
    """
    config = read_config(Path(folder))
    if config["r"] > MOST_RANK:
        raise ValueError(f"{folder} has rank {config['r']}, more than {MOST_RANK}")
    tensors = _tensors(Path(folder))
    adapter = fresh(base, max(rank, config["r"]), seed)
    for name, a, b in adapter.parts():
        given_a, given_b = (_take(tensors, f"{PREFIX}{name}.lora_{x}.weight") for x in "AB")
        if given_a.shape != (config["r"], a.shape[1]) or given_b.shape != (b.shape[1], config["r"]):
            raise ValueError(f"{folder} does not fit {name}")
        a[: config["r"]] = given_a
        b[: config["r"]] = given_b.t() * scaling(config)
    if tensors:
        raise ValueError(f"{folder} adapts modules that are not trained: {min(tensors)}")
    adapter.changed()
    return adapter


def write(adapter: Adapter, base: Base, folder: str) -> None:
    """Write PEFT files into an existing folder; every tensor owns its storage."""
    tensors: dict[str, torch.Tensor] = {}
    for name, a, b in adapter.parts():
        tensors[f"{PREFIX}{name}.lora_A.weight"] = a.to("cpu", copy=True).contiguous()
        tensors[f"{PREFIX}{name}.lora_B.weight"] = b.t().to("cpu", copy=True).contiguous()
    names = [name for name, _, _ in adapter.parts()]
    try:
        write_config(Path(folder), rank=adapter.rank, base_model=base.path, modules=names)
        save_file(tensors, Path(folder) / WEIGHTS, metadata={"format": "pt"})
    except (OSError, SafetensorError) as error:
        raise TrainerError(f"the adapter cannot be written: {error}") from error


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    try:
        return dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{folder / WEIGHTS} cannot be read: {error}") from error


def _take(tensors: dict[str, torch.Tensor], key: str) -> torch.Tensor:
    if key not in tensors:
        raise ValueError(f"the parent adapter lacks {key}")
    return tensors.pop(key)
