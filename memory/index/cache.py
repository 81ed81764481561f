"""One vector index per tenant, kept equal to the database.

Before a search the tenant's head event is compared with the last one applied; the tail is applied,
whoever wrote it, or the index is rebuilt when the tail is long or the history another. Records that
this embedder has not seen are embedded without holding the index. Cold tenants are evicted; a
snapshot lets them come back quickly.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from memory.embedder import Embedder
from memory.errors import StorageUnavailableError
from memory.index.backfill import Backfill
from memory.index.faiss_index import FaissIndex
from memory.index.snapshots import Snapshot, SnapshotFolder
from memory.index.vector_index import VectorIndex
from memory.index.vectors import Changes, VectorStore
from memory.types import Frozen

log = logging.getLogger(__name__)

LONG_TAIL = 5_000
"""Events beyond which reading everything again is quicker than following."""
BATCH = 32
"""Texts embedded at once when an embedder meets records it has not seen."""
RETRY_S = 30.0
"""After vectors could not be stored, as on a read-only disk."""


class VerifyReport(Frozen):
    """Whether a tenant's index equals the database."""

    tenant: str
    seq: int
    records: int
    indexed: int
    missing: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()
    differing: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, extra or different."""
        return not (self.missing or self.extra or self.differing)


@dataclass
class View:
    """A tenant's index as of event `seq`."""

    index: VectorIndex
    seq: int = 0
    mark: str | None = None
    saved_seq: int = -1
    """The event of the snapshot on disk, -1 without one."""
    fresh: bool = True
    """Nobody has looked for a snapshot yet."""
    missing: set[int] = field(default_factory=set)
    """Numbers of active records without a vector."""
    retry_at: float = -math.inf
    """Monotonic seconds before which nothing is embedded for it."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class IndexCache:
    """The indexes of the tenants used last."""

    def __init__(
        self, vectors: VectorStore, embedder: Embedder, folder: Path, *, max_tenants: int = 64
    ) -> None:
        self._vectors = vectors
        self._embedder = embedder
        self._snapshots = SnapshotFolder(folder, embedder.id, embedder.dim)
        self._max_tenants = max_tenants
        self._views: OrderedDict[str, View] = OrderedDict()
        self._lock = threading.Lock()
        self._backfill = Backfill(self._fill)

    def search(self, tenant: str, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return up to `k` (record number, inner product) pairs, up to date with the database.

        Of records that this embedder has not seen it embeds one batch, and leaves the others to the
        background: until then they are not found, see `lacking`.
        """
        view = self._synced(tenant)
        if view.missing and not self._backfill.is_busy(tenant) and self._fill(tenant):
            self._backfill.begin(tenant)
        return view.index.search(vector, k)

    def lacking(self, tenant: str) -> int:
        """Return how many active records a search cannot find yet, as of the last one."""
        with self._lock:
            view = self._views.get(tenant)
        return len(view.missing) if view is not None else 0

    def rebuild(self, tenant: str) -> int:
        """Read the tenant's vectors anew from the database; return how many there are."""
        self._snapshots.delete(tenant)
        view = self._view(tenant)
        with view.lock:
            self._rebuild(tenant, view)
        self._fill_all(tenant, view)
        return view.index.count()

    def verify(self, tenant: str) -> VerifyReport:
        """Compare the index with the database, vector by vector."""
        view = self._synced(tenant)
        self._fill_all(tenant, view)
        with view.lock:
            truth = self._vectors.everything(tenant)
            if truth.seq != view.seq:  # somebody wrote between the two reads
                self._apply(view, self._vectors.since(tenant, view.seq))
                truth = self._vectors.everything(tenant)
            numbers, vectors = view.index.contents()
        held = dict(zip(numbers.tolist(), vectors, strict=True))
        wanted = dict(zip(truth.numbers.tolist(), truth.vectors, strict=True))
        both = held.keys() & wanted.keys()
        return VerifyReport(
            tenant=tenant,
            seq=view.seq,
            records=len(wanted),
            indexed=len(held),
            missing=tuple(sorted(wanted.keys() - held.keys())),
            extra=tuple(sorted(held.keys() - wanted.keys())),
            differing=tuple(sorted(n for n in both if not np.array_equal(held[n], wanted[n]))),
        )

    def forget(self, tenant: str) -> tuple[str, ...]:
        """Drop what is on disk of a tenant whose record was erased, and catch up.

        Return the names of the files that could not be deleted.
        """
        left = self._snapshots.delete(tenant)
        view = self._view(tenant)
        view.saved_seq = -1
        self._synced(tenant)
        return left

    def close(self) -> None:
        """Write the snapshots that are out of date."""
        self._backfill.close()
        with self._lock:
            views = list(self._views.items())
            self._views.clear()
        try:
            for tenant, view in views:
                self._save(tenant, view)
        except StorageUnavailableError as error:
            log.warning("no index snapshots written: %s", error)

    def _synced(self, tenant: str) -> View:
        view = self._view(tenant)
        with view.lock:
            if view.fresh:
                self._load(tenant, view)
            seq = self._vectors.head(tenant)
            if seq == view.seq:
                return view
            known = view.mark == self._vectors.mark(tenant, view.seq)
            if known and 0 < view.seq < seq <= view.seq + LONG_TAIL:
                self._apply(view, self._vectors.since(tenant, view.seq))
            else:
                self._rebuild(tenant, view)
            return view

    def _view(self, tenant: str) -> View:
        with self._lock:
            view = self._views.get(tenant)
            if view is None:
                view = self._views[tenant] = View(FaissIndex(self._embedder.dim))
            self._views.move_to_end(tenant)
            cold = None
            if len(self._views) > self._max_tenants:
                cold = self._views.popitem(last=False)
        if cold is not None:
            self._save(*cold)
        return view

    def _load(self, tenant: str, view: View) -> None:
        view.fresh = False
        snapshot = self._snapshots.read(tenant)
        if snapshot is None or self._vectors.mark(tenant, snapshot.seq) != snapshot.mark:
            return  # none, or one of a history that a restored backup has replaced
        view.index.add(snapshot.numbers, snapshot.vectors)
        view.seq, view.mark, view.saved_seq = snapshot.seq, snapshot.mark, snapshot.seq

    def _save(self, tenant: str, view: View) -> None:
        with view.lock:
            # An index that is behind may still hold a vector that another process erased, and a
            # snapshot says nothing of what is missing.
            if (
                not view.missing
                and view.seq > 0
                and view.saved_seq != view.seq == self._vectors.head(tenant)
            ):
                snapshot = Snapshot(view.seq, view.mark, *view.index.contents())
                self._snapshots.write(tenant, snapshot)
                view.saved_seq = view.seq

    def _rebuild(self, tenant: str, view: View) -> None:
        changes = self._vectors.everything(tenant)
        view.index = FaissIndex(self._embedder.dim)
        view.missing.clear()
        view.fresh = False
        self._apply(view, changes)

    def _apply(self, view: View, changes: Changes) -> None:
        self._hold(view, changes)
        view.seq, view.mark = changes.seq, changes.mark

    def _hold(self, view: View, changes: Changes) -> None:
        view.index.remove(changes.gone)
        view.index.add(changes.numbers, changes.vectors)
        view.missing.difference_update(changes.gone, changes.numbers.tolist())
        view.missing.update(changes.missing)

    def _fill_all(self, tenant: str, view: View) -> None:
        view.retry_at = -math.inf
        while self._fill(tenant):
            pass

    def _fill(self, tenant: str) -> bool:
        """Embed and store one batch of what the tenant's index lacks; whether there is more.

        The index is held only to take the vectors over: saving and recalling go on meanwhile.
        """
        with self._lock:
            view = self._views.get(tenant)
        if view is None or time.monotonic() < view.retry_at:
            return False
        with view.lock:
            batch = sorted(view.missing)[:BATCH]
        if not batch or not self._embed(tenant, view, batch):
            return False
        with view.lock:
            # What the database says now: a record may have been erased since.
            view.missing.difference_update(batch)
            self._hold(view, self._vectors.of(tenant, batch))
            return bool(view.missing)

    def _embed(self, tenant: str, view: View, numbers: Sequence[int]) -> bool:
        questions = self._vectors.questions(tenant, numbers)
        vectors = self._embedder.embed([question for _, question in questions])
        try:
            rows = ((row[0], v) for row, v in zip(questions, vectors, strict=True))
            self._vectors.store(tenant, rows)
        except StorageUnavailableError as error:
            # What is embedded already can still be recalled from a database that is read-only.
            log.warning("%d records stay out of reach: %s", len(view.missing), error)
            view.retry_at = time.monotonic() + RETRY_S
            return False
        return True
