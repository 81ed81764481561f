"""Index snapshots on disk: a head start after a restart, never the truth.

One file per tenant: a manifest line (tenant, embedder, seq, mark, count, sha256), then the ids and
the vectors as plain arrays. Written beside its place, synced and renamed, so that a kill leaves the
old file or the new one. A file that contradicts its manifest is renamed `.bad` and ignored;
deleting any of them loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memory.store.durable import write_durably

log = logging.getLogger(__name__)

MAX_MANIFEST_BYTES = 8 * 1024


@dataclass(frozen=True)
class Snapshot:
    """The vectors of one tenant at event `seq`."""

    seq: int
    mark: str | None
    numbers: np.ndarray
    """int64, shape (n,)"""
    vectors: np.ndarray
    """float32, shape (n, d)"""


class SnapshotFolder:
    """The snapshots of one embedder in one folder."""

    def __init__(self, folder: Path, embedder_id: str, dim: int) -> None:
        self._folder = folder
        self._embedder_id = embedder_id
        self._dim = dim

    def path(self, tenant: str) -> Path:
        """Return the tenant's file; its name gives the tenant away to nobody."""
        return self._folder / f"{hashlib.sha256(tenant.encode()).hexdigest()[:32]}.vectors"

    def write(self, tenant: str, snapshot: Snapshot) -> None:
        """Replace the tenant's snapshot; a failure costs speed later and is only logged."""
        path = self.path(tenant)
        body = _body(snapshot)
        manifest = self._expected(tenant) | {
            "seq": snapshot.seq,
            "mark": snapshot.mark,
            "count": len(snapshot.numbers),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(path, json.dumps(manifest).encode() + b"\n" + body)
        except OSError as error:
            log.warning("no index snapshot written: %s", error)

    def read(self, tenant: str) -> Snapshot | None:
        """Return the tenant's snapshot, or None when there is none to trust."""
        path = self.path(tenant)
        try:
            line, _, body = path.read_bytes().partition(b"\n")
            if len(line) > MAX_MANIFEST_BYTES:
                raise ValueError("its manifest is too long")
            return self._parse(tenant, json.loads(line), body)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            log.warning("index snapshot %s is set aside: %s", path.name, error)
            self._set_aside(path)
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

    def _parse(self, tenant: str, manifest: dict[str, Any], body: bytes) -> Snapshot:
        for key, expected in self._expected(tenant).items():
            if manifest[key] != expected:
                raise ValueError(f"its {key} is another")
        if hashlib.sha256(body).hexdigest() != manifest["sha256"]:
            raise ValueError("its content does not match its checksum")
        count = int(manifest["count"])
        numbers = np.frombuffer(body, dtype="<i8", count=count)
        vectors = np.frombuffer(body, dtype="<f4", offset=8 * count).reshape(count, self._dim)
        return Snapshot(int(manifest["seq"]), manifest["mark"], numbers, vectors)

    def _set_aside(self, path: Path) -> None:
        try:
            path.replace(path.with_suffix(".bad"))
        except OSError as error:
            log.warning("index snapshot %s cannot be renamed: %s", path.name, error)


def _body(snapshot: Snapshot) -> bytes:
    numbers = np.ascontiguousarray(snapshot.numbers, dtype="<i8")
    return numbers.tobytes() + np.ascontiguousarray(snapshot.vectors, dtype="<f4").tobytes()
