"""Whether a tenant's index equals the database: compared vector by vector, page by page."""

from __future__ import annotations

import numpy as np

from memory.index.layered import Contents
from memory.index.sealed import among
from memory.index.vectors import Changes, VectorStore
from memory.types import Frozen


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


class Rows:
    """Where each id of an index lies."""

    def __init__(self, held: Contents) -> None:
        self._held = held
        ids = np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in held.blocks)])
        sizes = [len(ids) for ids, _ in held.blocks]
        self._owners = np.repeat(np.arange(len(sizes)), sizes)
        self._begins = np.cumsum([0, *sizes])
        self._order = np.argsort(ids, kind="stable")
        self.ids = ids[self._order]

    def differing(self, page: Changes) -> set[int]:
        """Return which numbers of a page of the database have another vector here."""
        both = np.flatnonzero(among(page.numbers, self.ids))
        places = self._order[np.searchsorted(self.ids, page.numbers[both])]
        return {
            int(page.numbers[row])
            for row, place in zip(both.tolist(), places.tolist(), strict=True)
            if not np.array_equal(self._vector(place), page.vectors[row])
        }

    def _vector(self, place: int) -> np.ndarray:
        owner = int(self._owners[place])
        vector: np.ndarray = self._held.blocks[owner][1][place - int(self._begins[owner])]
        return vector


def compared(tenant: str, seq: int, held: Contents, vectors: VectorStore) -> VerifyReport:
    """Compare what an index held at event `seq` with the database.

    What was written since belongs to neither side, and is left out.
    """
    rows = Rows(held)
    wanted: list[np.ndarray] = [np.empty(0, np.int64)]
    differing: set[int] = set()
    for page in vectors.pages(tenant):
        wanted.append(page.numbers)
        differing |= rows.differing(page)
    numbers = np.concatenate(wanted)
    later = vectors.since(tenant, seq)
    unsure = {*later.numbers.tolist(), *later.gone, *later.missing}
    missing = set(np.setdiff1d(numbers, rows.ids).tolist()) - unsure
    extra = set(np.setdiff1d(rows.ids, numbers).tolist()) - unsure
    return VerifyReport(
        tenant=tenant,
        seq=seq,
        records=len(numbers),
        indexed=len(rows.ids),
        missing=tuple(sorted(missing)),
        extra=tuple(sorted(extra)),
        differing=tuple(sorted(differing - unsure)),
    )
