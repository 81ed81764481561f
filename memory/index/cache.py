"""One vector index per tenant, kept equal to the database.

Before a search the tenant's head event is compared with the last one applied; the tail is applied,
whoever wrote it, or the index is rebuilt when the tail is long or the history another. Records that
this embedder has not seen are embedded without holding the index. Large indexes are compacted
beside the searches. Cold tenants are evicted; a snapshot lets them come back quickly.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from memory.embedding.embedder import Embedder
from memory.errors import StorageUnavailableError
from memory.index.backfill import Backfill
from memory.index.layered import SEAL_AT, LayeredIndex
from memory.index.snapshots import SnapshotFolder
from memory.index.upkeep import Upkeep
from memory.index.vectors import VectorStore
from memory.index.verify import VerifyReport, compared
from memory.index.view import View

log = logging.getLogger(__name__)
OnProgress: TypeAlias = Callable[[int, int], None]
"""(records that can be found, of how many)."""

LONG_TAIL = 5_000
"""Events beyond which reading everything again is quicker than following, in a small index."""
TAIL_SHARE = 4
"""In a large index, events beyond one part in so many of what it holds."""
MAX_BYTES = 4 * 2**30
"""Most bytes of all indexes in memory together; a single one may have more."""
BATCH = 32
"""Texts embedded at once when an embedder meets records it has not seen."""
RETRY_S = 30.0
"""After vectors could not be stored, as on a read-only disk."""


class IndexCache:
    """The indexes of the tenants used last."""

    def __init__(
        self,
        vectors: VectorStore,
        embedder: Embedder,
        folder: Path,
        *,
        max_tenants: int = 64,
        max_bytes: int = MAX_BYTES,
        seal_at: int = SEAL_AT,
    ) -> None:
        self._vectors = vectors
        self._embedder = embedder
        self._snapshots = SnapshotFolder(folder, embedder.id, embedder.dim)
        self._max_tenants = max_tenants
        self._max_bytes = max_bytes
        self._seal_at = seal_at
        self._views: OrderedDict[str, View] = OrderedDict()
        self._lock = threading.Lock()
        self._backfill = Backfill(self._fill_of)
        self._upkeep = Upkeep()

    def search(self, tenant: str, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return up to `k` (record number, inner product) pairs, up to date with the database."""
        return self.up_to_date(tenant).search(vector, k)

    def ready(self, tenant: str, seq: int, mark: str | None) -> LayeredIndex | None:
        """Return the tenant's index if it is that of this event and lacks nothing.

        It looks into memory alone, and so may be asked within a transaction.
        """
        with self._lock:
            view = self._views.get(tenant)
            if view is None or view.missing or (view.seq, view.mark) != (seq, mark):
                return None
            self._views.move_to_end(tenant)
        return self._kept_up(tenant, view)

    def up_to_date(self, tenant: str) -> LayeredIndex:
        """Return the tenant's index, brought up to date with the database.

        Of records that this embedder has not seen it embeds one batch, and leaves the others to the
        background: until then they are not found, see `lacking`.
        """
        view = self._synced(tenant)
        if view.missing and not self._backfill.is_busy(tenant) and self._fill(tenant, view):
            self._backfill.begin(tenant)
        return self._kept_up(tenant, view)

    def _kept_up(self, tenant: str, view: View) -> LayeredIndex:
        """Return the index of a view; where it has changed much, the next one is begun."""
        if view.index.is_due():
            self._upkeep.begin(tenant, partial(self._compact, tenant, view))
        return view.index

    def lacking(self, tenant: str) -> int:
        """Return how many active records a search cannot find yet, as of the last one."""
        with self._lock:
            view = self._views.get(tenant)
        return len(view.missing) if view is not None else 0

    def rebuild(self, tenant: str, on_progress: OnProgress | None = None) -> int:
        """Read the tenant's vectors anew from the database; return how many there are.

        `on_progress` is told, after each batch, how many of all are there; what it raises ends
        this, and the vectors made so far stay in the database. Raises `StorageUnavailableError`
        where vectors could not be stored.
        """
        self._snapshots.delete(tenant)
        view = self._view(tenant)
        with view.lock:
            self._rebuild(tenant, view)
            view.saved_seq = -1
        self._fill_all(tenant, view, on_progress)
        if left := len(view.missing):
            raise StorageUnavailableError(
                f"the vectors of {left} records could not be stored: mend the storage, and begin "
                "again with what is left"
            )
        return view.index.count()

    def verify(self, tenant: str) -> VerifyReport:
        """Compare the index with the database, vector by vector."""
        view = self._synced(tenant)
        self._fill_all(tenant, view)
        with view.lock:
            seq, held = view.seq, view.index.contents()
        return compared(tenant, seq, held, self._vectors)

    def forget(self, tenant: str) -> tuple[str, ...]:
        """Drop what is on disk of a tenant whose record was erased, and catch up.

        Return the names of the files that could not be deleted.
        """
        left = self._snapshots.delete(tenant)
        view = self._view(tenant)
        view.saved_seq = -1
        self._synced(tenant)
        return left

    def drop_outdated(self, tenant: str) -> tuple[str, ...]:
        """Drop what is on disk of a tenant from before one of its records was erased.

        Return the names of the files that could not be deleted.
        """
        seq = self._snapshots.seq(tenant)
        is_outdated = seq is None or self._vectors.erased_since(tenant, seq)
        return self._snapshots.delete(tenant) if is_outdated else ()

    def close(self) -> None:
        """Write the snapshots that are out of date."""
        self._backfill.close()
        self._upkeep.close()
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
            seq, mark = self._vectors.newest(tenant)
            if (seq, mark) == (view.seq, view.mark):
                return view
            known = view.mark == self._vectors.mark(tenant, view.seq)
            tail = max(LONG_TAIL, view.index.count() // TAIL_SHARE)
            if known and 0 < view.seq < seq <= view.seq + tail:
                view.apply(self._vectors.since(tenant, view.seq))
            else:
                self._rebuild(tenant, view)
            return view

    def _view(self, tenant: str) -> View:
        with self._lock:
            view = self._views.get(tenant)
            if view is None:
                view = self._views[tenant] = View(self._new_index())
            self._views.move_to_end(tenant)
            cold = self._taken_out()
        for name, old in cold:
            self._save(name, old)
        return view

    def _taken_out(self) -> list[tuple[str, View]]:
        """Take out the tenants used longest ago, until few enough and little enough remain."""
        cold = []
        held = sum(view.index.size_bytes() for view in self._views.values())
        while len(self._views) > 1 and (
            len(self._views) > self._max_tenants or held > self._max_bytes
        ):
            tenant, view = self._views.popitem(last=False)
            held -= view.index.size_bytes()
            cold.append((tenant, view))
        return cold

    def _new_index(self) -> LayeredIndex:
        return LayeredIndex(self._embedder.dim, self._seal_at)

    def _load(self, tenant: str, view: View) -> None:
        view.fresh = False
        snapshot = self._snapshots.read(tenant)
        if snapshot is None or self._vectors.mark(tenant, snapshot.seq) != snapshot.mark:
            return  # none, or one of a history that a restored backup has replaced
        view.index.load(snapshot.lists, snapshot.numbers, snapshot.vectors)
        view.seq, view.mark, view.saved_seq = snapshot.seq, snapshot.mark, snapshot.seq
        if self._vectors.erased_since(tenant, snapshot.seq):
            self._snapshots.delete(tenant)  # the writer was killed before it saw that
            view.saved_seq = -1

    def _save(self, tenant: str, view: View) -> None:
        with view.lock:
            seq, mark = view.seq, view.mark
            # A snapshot says nothing of what is missing.
            if view.missing or seq <= 0 or view.saved_seq == seq:
                return
            held = view.index.contents()
        if self._vectors.erased_since(tenant, seq):
            return  # the index may still hold a vector that another process erased
        self._snapshots.write(tenant, seq, mark, held)
        view.saved_seq = seq
        if self._vectors.erased_since(tenant, seq):
            self._snapshots.delete(tenant)
            view.saved_seq = -1

    def _compact(self, tenant: str, view: View, stop: threading.Event) -> None:
        if view.index.compact(stop):
            self._save(tenant, view)  # a restart would otherwise train it again

    def _rebuild(self, tenant: str, view: View) -> None:
        fresh = View(self._new_index())  # beside: a search may still be in the old one
        pages = self._vectors.pages(tenant)
        first = next(pages)
        fresh.apply(first)
        for page in pages:
            fresh.hold(page)
        fresh.apply(self._vectors.since(tenant, first.seq))
        view.index, view.missing, view.fresh = fresh.index, fresh.missing, False
        view.seq, view.mark = fresh.seq, fresh.mark

    def _fill_all(self, tenant: str, view: View, on_progress: OnProgress | None = None) -> None:
        view.retry_at = -math.inf
        more = True
        while more:
            more = self._fill(tenant, view)  # it may be evicted meanwhile
            if on_progress is not None:
                there = view.index.count()
                on_progress(there, there + len(view.missing))

    def _fill_of(self, tenant: str) -> bool:
        """Fill a tenant's index by one batch; one that was evicted waits for the next search."""
        with self._lock:
            view = self._views.get(tenant)
        return view is not None and self._fill(tenant, view)

    def _fill(self, tenant: str, view: View) -> bool:
        """Embed and store one batch of what an index lacks; whether there is more.

        The index is held only to take the vectors over: saving and recalling go on meanwhile.
        """
        if time.monotonic() < view.retry_at:
            return False
        with view.lock:
            batch = sorted(view.missing)[:BATCH]
        if not batch or not self._embed(tenant, view, batch):
            return False
        with view.lock:
            # What the database says now: a record may have been erased since.
            view.missing.difference_update(batch)
            view.hold(self._vectors.of(tenant, batch))
            return bool(view.missing)

    def _embed(self, tenant: str, view: View, numbers: Sequence[int]) -> bool:
        questions = self._vectors.questions(tenant, numbers)
        vectors = self._embedder.embed([question for _, question in questions])
        try:
            rows = ((row[0], v) for row, v in zip(questions, vectors, strict=True))
            self._vectors.store(tenant, rows)
        except StorageUnavailableError as error:
            # What is embedded already can still be recalled from a database that is read-only.
            log.warning("records stay out of reach (%d): %s", len(view.missing), error)
            view.retry_at = time.monotonic() + RETRY_S
            return False
        return True
