"""An index of any size: flat while it is small, then a sealed one and what changed since.

Above `seal_at` vectors: a base that never changes, a flat index of what came since (the delta), and
the ids of the base that count no more (the dead). A search takes the three as they stand and waits
for nobody. Where delta or dead exceed `SHARE` of the base, `compact` builds the next base beside.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from memory.index.faiss_index import FaissIndex
from memory.index.sealed import SealedIndex, merged, restored, sealed_from, without
from memory.index.vector_index import Block, Lists

SEAL_AT = 50_000
"""Vectors up to which looking at all of them is quick enough: 3 ms."""
SHARE = 0.05
GROWTH = 2.0
"""Times as many vectors as a base was trained for: then its cells are too few."""


@dataclass(frozen=True)
class State:
    """What a search sees; `dead` and `delta` change, the base does not."""

    delta: FaissIndex
    base: SealedIndex | FaissIndex | None = None
    dead: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Contents:
    """All that an index held at a moment; later changes leave it alone."""

    blocks: list[Block]
    """Blocks of the cells first, in order, if there are cells; the rest belongs to none."""
    lists: Lists | None
    owner: object
    """Keeps the memory that the blocks look into."""


class LayeredIndex:
    """Thread-safe; changes and `compact` exclude each other only for moments."""

    def __init__(self, dim: int, seal_at: int = SEAL_AT) -> None:
        self._dim = dim
        self._seal_at = seal_at
        self._state = State(FaissIndex(dim))
        self._touched: set[int] | None = None
        """Ids that changed since the building of the next base began."""
        self._trained_for = 0
        self._lock = threading.RLock()
        self._building = threading.Lock()

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold `vectors`, float32 (n, d), under `ids`, int64 (n,); a known id is replaced."""
        with self._lock:
            state = self._state
            state.delta.add(ids, vectors)
            self._note(state, ids.tolist())

    def remove(self, ids: Iterable[int]) -> None:
        """Forget `ids`; unknown ones are ignored."""
        gone = list(ids)
        with self._lock:
            state = self._state
            self._note(state, gone)
            state.delta.remove(gone)

    def _note(self, state: State, ids: list[int]) -> None:
        if state.base is not None and ids:
            state.dead.update(state.base.holding(ids))
        if self._touched is not None:
            self._touched.update(ids)

    def search(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return up to `k` (id, inner product) pairs for a vector (d,), best first."""
        state = self._state
        fresh = state.delta.search(vector, k)
        if state.base is None or k <= 0:
            return fresh
        if not fresh:
            return _living(state, vector, k)
        known = {number for number, _ in fresh}  # one that is being replaced may be in both
        old = [pair for pair in _living(state, vector, k) if pair[0] not in known]
        return heapq.nlargest(k, chain(fresh, old), key=lambda pair: pair[1])

    def vectors(self, ids: Sequence[int]) -> Block:
        """Return the vectors of those of these ids that are held, a copy."""
        state = self._state
        fresh, rows = state.delta.vectors(ids)
        if state.base is None or len(fresh) == len(ids):
            return fresh, rows
        gone = state.dead.union(fresh.tolist())  # one that is being replaced may be in both
        old, more = state.base.vectors([each for each in ids if each not in gone])
        return np.concatenate([fresh, old]), np.concatenate([rows, more])

    def count(self) -> int:
        """Return how many vectors are held."""
        with self._lock:
            state = self._state
            base = 0 if state.base is None else state.base.count() - len(state.dead)
            return base + state.delta.count()

    def size_bytes(self) -> int:
        """Return about how much memory it takes, the dead included."""
        state = self._state
        rows = state.delta.count() + (0 if state.base is None else state.base.count())
        return rows * (4 * self._dim + 8)

    def contents(self) -> Contents:
        """Return what is held, the vectors of the base without a copy."""
        with self._lock:
            state, dead = self._state, _sorted(self._state.dead)
            fresh = [(ids.copy(), rows.copy()) for ids, rows in state.delta.blocks()]
        if state.base is None:
            return Contents(fresh, None, state)
        old = _alive(state.base, dead)
        if not isinstance(state.base, SealedIndex):
            return Contents([*old, *fresh], None, state)
        found = state.base.lists()
        sizes = np.array([len(ids) for ids, _ in old], dtype=np.int64)
        return Contents([*old, *fresh], Lists(found.centroids, sizes, found.probes), state)

    def load(self, lists: Lists | None, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold what an empty index is given, `lists` and all, as `contents` told them."""
        divided = 0 if lists is None else int(lists.sizes.sum())
        if lists is not None and divided:
            base = restored(lists, ids[:divided], vectors[:divided])
            self._state = State(FaissIndex(self._dim), base)
            self._trained_for = divided
        self.add(ids[divided:], vectors[divided:])

    def is_due(self) -> bool:
        """Whether `compact` has something to do."""
        state = self._state
        if state.base is None:
            return state.delta.count() > self._seal_at
        limit = SHARE * state.base.count()
        unsealed = not isinstance(state.base, SealedIndex)
        return unsealed or state.delta.count() > limit or len(state.dead) > limit

    def compact(self, stop: threading.Event) -> bool:
        """Build the next base beside this one and put it in place; whether that was due.

        Takes seconds to minutes. `StoppedError` where it was called off: nothing has changed then.
        """
        with self._building:
            if not self.is_due():
                return False
            try:
                self._replace(*self._begin(), stop)
            finally:
                self._touched = None
            return True

    def _begin(self) -> tuple[State, np.ndarray, list[Block]]:
        """Return the state that the next base is built from; changes are noted from now on."""
        with self._lock:
            if self._state.base is None:
                self._state = State(FaissIndex(self._dim), self._state.delta)  # frozen, not copied
            self._touched = set()
            state = self._state
            added = [(ids.copy(), rows.copy()) for ids, rows in state.delta.blocks()]
            return state, _sorted(state.dead), added

    def _replace(
        self, state: State, dead: np.ndarray, added: list[Block], stop: threading.Event
    ) -> None:
        base = self._next_base(state, dead, added, stop)
        with self._lock:
            if base is None:
                self._state = State(self._flat())
            else:
                touched = sorted(self._touched or ())
                dead_again = base.holding(touched)
                self._state = State(self._delta_of(touched), base, dead_again)

    def _next_base(
        self, state: State, dead: np.ndarray, added: list[Block], stop: threading.Event
    ) -> SealedIndex | None:
        """Return the base to come; None where so little is left that none is needed."""
        base = state.base
        assert base is not None
        living = base.count() - len(dead) + sum(len(ids) for ids, _ in added)
        if 2 * living <= self._seal_at:
            return None
        if isinstance(base, SealedIndex) and living <= GROWTH * self._trained_for:
            fresh = added[0] if added else _nothing(self._dim)
            return merged(base, dead, fresh, stop)
        self._trained_for = living
        return sealed_from([*_alive(base, dead), *added], stop)

    def _delta_of(self, touched: list[int]) -> FaissIndex:
        """Return what of the delta came since the building began."""
        delta = FaissIndex(self._dim)
        for ids, vectors in self._state.delta.blocks():
            kept = np.isin(ids, np.array(touched, dtype=np.int64))
            delta.add(ids[kept], vectors[kept])
        return delta

    def _flat(self) -> FaissIndex:
        """Return a flat index of all that is held now; it is little."""
        state = self._state
        assert state.base is not None
        flat = FaissIndex(self._dim)
        for block in (*_alive(state.base, _sorted(state.dead)), *state.delta.blocks()):
            flat.add(*block)
        return flat


def _living(state: State, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
    """Return the best `k` of the base that are not dead."""
    base, wanted = state.base, k
    assert base is not None
    while True:
        found = base.search(vector, wanted)
        living = [pair for pair in found if pair[0] not in state.dead]
        if len(living) >= k or wanted >= base.count():
            return living[:k]
        wanted *= 2


def _alive(base: SealedIndex | FaissIndex, dead: np.ndarray) -> list[Block]:
    return [without(block, dead) for block in base.blocks()]


def _sorted(ids: Iterable[int]) -> np.ndarray:
    return np.array(sorted(ids), dtype=np.int64)


def _nothing(dim: int) -> Block:
    return np.empty(0, np.int64), np.empty((0, dim), np.float32)
