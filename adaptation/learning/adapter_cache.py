"""Accepted adapters, kept for the next request that has the same neighbours.

An adapter is found by what it was made of: the records and their content, the model, the adapter it
continues and the recipe. So a record that changes is another key; and whatever learned from one
that is no longer as it was, or no longer active, is deleted as soon as the change is seen.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cachetools import LRUCache

from adaptation.learning.single_flight import SingleFlight
from adaptation.learning.training.adapter_files import CONFIG, WEIGHTS
from adaptation.learning.training.refusals import Refusal
from adaptation.learning.training.trainer import Recipe
from adaptation.report import AdapterReport
from adaptation.types import Adapter
from memory.errors import NotFoundError
from memory.memory import LongTermMemory
from memory.text import digest
from memory.threads import Threads
from memory.types import Neighbour, Record, State

logger = logging.getLogger(__name__)
ABOUT = "kept.json"
"""Written last: a folder without it was not finished. Its time is that of the last use."""
ABANDONED_S = 1800.0
"""Age at which an unfinished entry counts as abandoned."""
MOST_TENANTS = 10_000
"""Whose events are followed, the last ones: of any other all that is kept is looked at again."""


@dataclass(frozen=True)
class Neighbourhood:
    """What an adapter is made of."""

    tenant: str
    records: Mapping[str, str]
    """Id → digest of the content."""
    key: str

    @classmethod
    def of(
        cls,
        tenant: str,
        neighbours: Sequence[Neighbour],
        *,
        model: str,
        base: Adapter | None,
        recipe: Recipe,
        refusals: Sequence[Refusal] = (),
    ) -> Neighbourhood:
        """Of the neighbours that are trained on or held out, in whatever order.

        One that was judged by other refusals is another.
        """
        records = {n.record.id: content(n.record) for n in neighbours}
        parts = [tenant, model, base.version if base else "", recipe.model_dump_json()]
        parts += [each.model_dump_json() for each in refusals]
        parts += [f"{key}={value}" for key, value in sorted(records.items())]
        return cls(tenant, records, digest(["neighbourhood", *parts]))


@dataclass
class Kept:
    """An adapter on disk."""

    folder: Path
    tenant: str
    records: Mapping[str, str]
    rank: int
    report: AdapterReport
    bytes: int
    used: float
    """Seconds since the epoch."""
    is_seen: bool = False
    """Whether its records were looked at since it was kept: one may have changed before that."""

    def use(self) -> None:
        """Note a use, for the servers to come as well."""
        self.used = time.time()
        with suppress(OSError):  # it may be deleted at this moment
            os.utime(self.folder / ABOUT, (self.used, self.used))

    @property
    def is_whole(self) -> bool:
        """Whether its files are as long as they were."""
        try:
            return _size(self.folder) == self.bytes
        except OSError:
            return False


class AdapterCache:
    """Keeps adapters up to a number of bytes; those unused for longest go first.

    The folder belongs to one server at a time.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.single_flight = SingleFlight()
        self._root, self._max_bytes = root, max_bytes
        self._seen: LRUCache[str, int] = LRUCache(MOST_TENANTS)
        """Tenant → the newest event that was looked at; None yet: everything is looked at."""
        self._held: Counter[str] = Counter()
        self._thread = Threads("kept-adapters", 1)
        """Alone changes what is kept, files included."""
        self._entries = dict(self._found()) if max_bytes else {}

    @property
    def bytes(self) -> int:
        """Return the bytes of all that is kept."""
        return sum(kept.bytes for kept in self._entries.values())

    @property
    def keys(self) -> Collection[str]:
        """Return the keys of the neighbourhoods whose adapters are kept."""
        return self._entries.keys()

    def __len__(self) -> int:
        return len(self._entries)

    @contextmanager
    def holding(self, of: Neighbourhood) -> Iterator[Kept | None]:
        """Hold what is kept of a neighbourhood, so that it stays on disk for the block."""
        kept = self._entries.get(of.key)
        if kept is None:
            yield None
            return
        kept.use()
        self._held[of.key] += 1
        try:
            yield kept
        finally:
            self._held[of.key] -= 1
            if not self._held[of.key]:
                del self._held[of.key]

    async def keep(self, of: Neighbourhood, source: Path, rank: int, report: AdapterReport) -> None:
        """Copy an accepted adapter; what does not fit is not kept. Raises `OSError`."""
        await self._thread.run(self._copy, of, source, rank, report)

    async def follow(self, memory: LongTermMemory, tenant: str) -> None:
        """Delete what learned from records that have changed since the last look."""
        await self._thread.run(self._look, memory, tenant)

    async def discard(self, of: Neighbourhood) -> None:
        """Delete what is kept of a neighbourhood, as it cannot be used."""
        await self._thread.run(self._discard, of.key)

    def _discard(self, key: str) -> None:
        if key in self._entries:
            self._drop(key)

    def _copy(self, of: Neighbourhood, source: Path, rank: int, report: AdapterReport) -> None:
        size = _size(source)
        if size > self._max_bytes or of.key in self._entries:
            return
        self._make_room(size)
        folder = self._root / of.key
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in (CONFIG, WEIGHTS):
            shutil.copyfile(source / name, folder / name)
        kept = Kept(folder, of.tenant, of.records, rank, report, size, time.time())
        (folder / ABOUT).write_text(json.dumps(_as_json(kept)), "utf-8")
        self._entries[of.key] = kept

    def _look(self, memory: LongTermMemory, tenant: str) -> None:
        head, changed = memory.changed(tenant, self._seen.get(tenant))
        self._seen[tenant] = head
        mine = [(key, kept) for key, kept in self._entries.items() if kept.tenant == tenant]
        for key, kept in mine:
            was_seen, kept.is_seen = kept.is_seen, True
            if was_seen and changed is not None and changed.isdisjoint(kept.records):
                continue
            if not all(_is_as_it_was(memory, tenant, *record) for record in kept.records.items()):
                logger.info("an adapter is deleted: a record that it learned from has changed")
                self._drop(key)

    def _make_room(self, size: int) -> None:
        oldest = sorted(self._entries, key=lambda key: self._entries[key].used)
        for key in oldest:
            if self.bytes + size <= self._max_bytes:
                return
            if not self._held[key]:
                self._drop(key)

    def _drop(self, key: str) -> None:
        shutil.rmtree(self._entries.pop(key).folder, ignore_errors=True)

    def _found(self) -> Iterator[tuple[str, Kept]]:
        """What an earlier server left; what it did not finish is deleted."""
        for folder in self._root.glob("*"):
            try:
                about = json.loads((folder / ABOUT).read_text("utf-8"))
                yield folder.name, _from_json(folder, about)
            except (OSError, ValueError, KeyError, TypeError):
                shutil.rmtree(folder, ignore_errors=True)


def drop_learned_from(
    root: Path, tenant: str, records: Collection[str], adapters: Collection[str]
) -> tuple[str, ...]:
    """Delete what is kept below `root` of a tenant and learned from records, or from adapters.

    `root` has a folder for each model. A server that has one of them open finds that it is gone
    (`Kept.is_whole`). Return the keys; raises `OSError` where something stays.
    """
    gone = []
    for folder in sorted(root.glob("*/*")):
        try:
            about = json.loads((folder / ABOUT).read_text("utf-8"))
            parent, learned = about["report"].get("parent"), about["records"]
            is_meant = about["tenant"] == tenant and (
                parent in adapters or not learned.keys().isdisjoint(records)
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            is_meant = _is_abandoned(folder)  # nobody knows what it learned
        if is_meant:
            shutil.rmtree(folder)
            gone.append(folder.name)
    return tuple(gone)


def _is_abandoned(folder: Path) -> bool:
    try:
        return folder.is_dir() and time.time() - folder.stat().st_mtime > ABANDONED_S
    except OSError:
        return False


def content(record: Record) -> str:
    """The digest of what can be learned from a record."""
    turns = [turn.model_dump_json() for turn in record.messages]
    request = json.dumps(dict(record.request), sort_keys=True)
    return digest(["content", *turns, request, record.answer, record.rationale])


def _size(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in (CONFIG, WEIGHTS))


def _is_as_it_was(memory: LongTermMemory, tenant: str, record_id: str, was: str) -> bool:
    try:
        record = memory.get(tenant, record_id)
    except NotFoundError:
        return False
    return record.state is State.ACTIVE and content(record) == was


def _as_json(kept: Kept) -> dict[str, Any]:
    return {
        "tenant": kept.tenant,
        "records": dict(kept.records),
        "rank": kept.rank,
        "report": kept.report.model_dump(mode="json"),
    }


def _from_json(folder: Path, about: dict[str, Any]) -> Kept:
    size = _size(folder)
    report = AdapterReport.model_validate(about["report"])
    used = (folder / ABOUT).stat().st_mtime
    return Kept(folder, about["tenant"], about["records"], about["rank"], report, size, used)
