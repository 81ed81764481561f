"""The files of an adapter: checked, hashed and copied into place.

Owns what may lie in the registry's folder. Only a LoRA's configuration and its safetensors are
taken, the header is validated and sizes are capped, because both are read back by an engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

from memory.errors import InvalidAdapterError, StorageUnavailableError
from memory.store.durable import sync_folder

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
FILES = (CONFIG, WEIGHTS)
MAX_CONFIG_BYTES = 1 << 20
MAX_WEIGHTS_BYTES = 8 << 30
MAX_AXES = 4
STRAY_S = 1800.0
"""Age at which files without a registered version count as left behind."""


def check_files(folder: Path, rank: int) -> None:
    """Raise `InvalidAdapterError` unless `folder` holds a LoRA of this rank."""
    for name, limit in ((CONFIG, MAX_CONFIG_BYTES), (WEIGHTS, MAX_WEIGHTS_BYTES)):
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise InvalidAdapterError(f"{folder} has no file {name}")
        if path.stat().st_size > limit:
            raise InvalidAdapterError(f"{path} is larger than {limit} bytes")
    _check_config(folder / CONFIG, rank)
    _check_weights(folder / WEIGHTS)


def hash_files(folder: Path) -> str:
    """Return the sha256 of both files as hex; raises `OSError` where one is missing."""
    digest = hashlib.sha256()
    for name in FILES:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def identify(tenant: str, base_model: str, content: str, model: str | None = None) -> str:
    """Return the id of the version that has these files, by their digest; each `model`'s is its
    own.
    """
    named = json.dumps([tenant, base_model, content, *([model] if model else [])]).encode()
    return f"ad_{hashlib.sha256(named).hexdigest()[:12]}"


def copy_files(source: Path, target: Path) -> None:
    """Copy both files to a folder that appears complete and durable, or not at all."""
    beside = target.with_name(f".{target.name}.{uuid4().hex}")
    beside.mkdir(parents=True)
    try:
        for name in FILES:
            shutil.copyfile(source / name, beside / name)
            _sync(beside / name)
        sync_folder(beside)
        if target.exists():  # a copy that was damaged, or whose row was never committed
            target.rename(beside.with_suffix(".old"))
        beside.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(beside.with_suffix(".old"), ignore_errors=True)


def remove_files(folder: Path) -> None:
    """Delete a version's folder; raises `StorageUnavailableError` where something of it stays."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
            sync_folder(folder.parent)
    except OSError as error:
        raise StorageUnavailableError(
            f"{folder} cannot be deleted, and holds what was learned from what is erased: {error}"
        ) from error


def remove_strays(folder: Path, known: Collection[str]) -> None:
    """Delete what lies among the versions and is none, once nobody can be writing it any more."""
    for stray in folder.glob("*"):
        try:
            is_old = time.time() - stray.stat().st_mtime > STRAY_S
        except OSError:  # gone meanwhile
            continue
        if stray.name not in known and is_old:
            remove_files(stray)


def _check_config(path: Path, rank: int) -> None:
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidAdapterError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise InvalidAdapterError(f"{path} is not a JSON object")
    if config.get("r", rank) != rank:
        raise InvalidAdapterError(f"{path} has rank {config['r']}, not {rank}")


def _check_weights(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as tensors:
            shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118
    except SafetensorError as error:
        raise InvalidAdapterError(f"{path} is not a safetensors file: {error}") from error
    if not shapes or any(len(shape) > MAX_AXES for shape in shapes):
        raise InvalidAdapterError(f"{path} holds no adapter weights")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
