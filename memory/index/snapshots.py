"""Index snapshots on disk: a head start after a restart, never the truth.

One file per tenant: a manifest line (tenant, embedder, seq, mark, count, cells, probes, sha256),
then plain arrays: the centroids and sizes of the cells where there are some, the ids, the vectors.
Written beside its place, synced and renamed, so that a kill leaves the old file or the new one. A
file that contradicts its manifest is renamed `.bad` and ignored; deleting any of them loses
nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from memory.index.layered import Contents
from memory.index.vector_index import Lists
from memory.store.durable import write_durably

log = logging.getLogger(__name__)

MAX_MANIFEST_BYTES = 8 * 1024
READ_BYTES = 2**24
UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    RecursionError,
    OverflowError,
    MemoryError,
)
"""What a file that is anything at all comes to."""


@dataclass(frozen=True)
class Snapshot:
    """The vectors of one tenant at event `seq`."""

    seq: int
    mark: str | None
    numbers: np.ndarray
    """int64, shape (n,)"""
    vectors: np.ndarray
    """float32, shape (n, d)"""
    lists: Lists | None = None


class SnapshotFolder:
    """The snapshots of one embedder in one folder."""

    def __init__(self, folder: Path, embedder_id: str, dim: int) -> None:
        self._folder = folder
        self._embedder_id = embedder_id
        self._dim = dim

    def path(self, tenant: str) -> Path:
        """Return the tenant's file; its name gives the tenant away to nobody."""
        return self._folder / f"{hashlib.sha256(tenant.encode()).hexdigest()[:32]}.vectors"

    def write(self, tenant: str, seq: int, mark: str | None, held: Contents) -> None:
        """Replace the tenant's snapshot; a failure costs speed later and is only logged."""
        checksum = hashlib.sha256()
        for part in _body(held):
            checksum.update(part)
        manifest = self._expected(tenant) | {
            "seq": seq,
            "mark": mark,
            "count": sum(len(ids) for ids, _ in held.blocks),
            "cells": 0 if held.lists is None else len(held.lists.sizes),
            "probes": 0 if held.lists is None else held.lists.probes,
            "sha256": checksum.hexdigest(),
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            line = json.dumps(manifest).encode() + b"\n"
            write_durably(self.path(tenant), line, *_body(held))
        except OSError as error:
            log.warning("no index snapshot written: %s", error)

    def read(self, tenant: str) -> Snapshot | None:
        """Return the tenant's snapshot, or None when there is none to trust."""
        path = self.path(tenant)
        try:
            with path.open("rb") as file:
                line = file.readline(MAX_MANIFEST_BYTES + 1)
                if len(line) > MAX_MANIFEST_BYTES:
                    raise ValueError("its manifest is too long")
                return self._parse(tenant, json.loads(line), file)
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            log.warning("index snapshot %s is set aside: %s", path.name, error)
            self._set_aside(path)
            return None

    def seq(self, tenant: str) -> int | None:
        """Return the event that the tenant's files are of, None where one of them does not say."""
        path = self.path(tenant)
        if path.with_suffix(".bad").exists():
            return None
        try:
            with path.open("rb") as file:
                return int(json.loads(file.readline(MAX_MANIFEST_BYTES))["seq"])
        except UNREADABLE:
            return None

    def delete(self, tenant: str) -> tuple[str, ...]:
        """Remove the tenant's files: a vector is content, and erased content must not stay.

        Return the names of those that do.
        """
        path, left = self.path(tenant), list[str]()
        cut_short = self._folder.glob(f".{path.name}.*")  # a writer was killed before its rename
        for file in (path, path.with_suffix(".bad"), *cut_short):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                log.warning("index snapshot %s stays: %s", file.name, error)
                left.append(file.name)
        return tuple(left)

    def _expected(self, tenant: str) -> dict[str, Any]:
        return {"tenant": tenant, "embedder": self._embedder_id, "dim": self._dim}

    def _parse(self, tenant: str, manifest: dict[str, Any], file: BinaryIO) -> Snapshot:
        for key, expected in self._expected(tenant).items():
            if manifest[key] != expected:
                raise ValueError(f"its {key} is another")
        count, cells = int(manifest["count"]), int(manifest.get("cells", 0))
        # Counted before anything is allocated: a damaged number asks for no memory.
        size = cells * (4 * self._dim + 8) + count * (8 + 4 * self._dim)
        begin = file.tell()
        if min(count, cells) < 0 or file.seek(0, 2) - begin != size:
            raise ValueError("its content has another length")
        _check(file, begin, manifest["sha256"])
        file.seek(begin)
        centroids = _array(file, "<f4", (cells, self._dim))
        sizes = _array(file, "<i8", (cells,))
        numbers = _array(file, "<i8", (count,))
        vectors = _array(file, "<f4", (count, self._dim))
        probes = int(manifest.get("probes", 0))
        if cells and (probes < 1 or sizes.min() < 0 or sizes.sum() > count):
            raise ValueError("its cells are impossible")
        lists = Lists(centroids, sizes, probes) if cells else None
        return Snapshot(int(manifest["seq"]), manifest["mark"], numbers, vectors, lists)

    def _set_aside(self, path: Path) -> None:
        try:
            path.replace(path.with_suffix(".bad"))
        except OSError as error:
            log.warning("index snapshot %s cannot be renamed: %s", path.name, error)


def _body(held: Contents) -> Iterator[memoryview]:
    """Yield the arrays after the manifest, one after another, without joining them."""
    if held.lists is not None:
        yield _bytes(held.lists.centroids, "<f4")
        yield _bytes(held.lists.sizes, "<i8")
    for ids, _ in held.blocks:
        yield _bytes(ids, "<i8")
    for _, vectors in held.blocks:
        yield _bytes(vectors, "<f4")


def _bytes(array: np.ndarray, kind: str) -> memoryview:
    return np.ascontiguousarray(array, dtype=kind).reshape(-1).view(np.uint8).data


def _array(file: BinaryIO, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    count = int(np.prod(shape))
    return np.fromfile(file, dtype=kind, count=count).reshape(shape)


def _check(file: BinaryIO, begin: int, expected: str) -> None:
    file.seek(begin)
    checksum = hashlib.sha256()
    while part := file.read(READ_BYTES):
        checksum.update(part)
    if checksum.hexdigest() != expected:
        raise ValueError("its content does not match its checksum")
