"""Erasing a record from all that the server keeps, and ending what was interrupted.

Owns the order: the memory first, then the versions that learned from the record, then what was kept
of requests' trainings. An erasure counts as ended once nothing of it is left to be done.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from adaptation.learning.adapter_cache import drop_learned_from
from adaptation.learning.scratch import remove_left
from memory.erasure.erasures import Witness
from memory.errors import StorageUnavailableError, WhetMemoryError
from memory.memory import LongTermMemory
from memory.types import AdapterVersion, Record, State
from server.adapters.kept_adapters import FOLDER
from server.jobs.folders import drop_pieces
from server.tenancy.secret import Secret

logger = logging.getLogger(__name__)

SWEEP_S = 600.0
"""Between two looks for erasures that something was left of."""
AGAIN_S = 86_400.0
"""Seconds after an erasure in which what was being trained meanwhile is looked for again."""
AWAY_S = 30 * AGAIN_S
"""Likewise for what other servers keep in folders of their own: one may have been off for days."""


@dataclass(frozen=True)
class Forgotten:
    """What an erasure came to."""

    record: Record
    """The tombstone."""
    learned: tuple[AdapterVersion, ...]
    """The versions that had learned from it, as they are now."""
    alike: tuple[str, ...]
    """Other records that hold its question: they stay."""
    champion: str | None
    """What is served now; None for the base."""

    @property
    def kept(self) -> tuple[AdapterVersion, ...]:
        """Return the versions that still hold what they learned."""
        return tuple(version for version in self.learned if version.retired is None)


class Eraser:
    """Erases records of all tenants."""

    def __init__(self, memory: LongTermMemory, secret: Secret) -> None:
        self._memory = memory
        self._secret = secret
        self._has_looked = False

    def learned(self, tenant: str, record_id: str) -> tuple[AdapterVersion, ...]:
        """Return the tenant's versions that learned from a record, the oldest first."""
        found = self._memory.adapters.revoked_by(record_id)
        return tuple(version for version in found if version.tenant == tenant)

    def forget(self, tenant: str, record_id: str, by: str, *, retires: bool = True) -> Forgotten:
        """Erase a record, or end what was begun.

        Raises `NotFoundError`, and `StorageUnavailableError` where something of it may be left.
        """
        alike = tuple(self._memory.alike(tenant, record_id))
        witness = Witness(by, self._secret.seal_of, retires)
        try:
            tombstone = self._memory.forget(tenant, record_id, witness)
        except StorageUnavailableError:
            if self._memory.get(tenant, record_id).state is State.ERASED:
                self._withdraw(tenant, record_id, retires)  # a file that stays is no reason to wait
            raise
        self._withdraw(tenant, record_id, retires)
        self._memory.erasures.end(tenant, record_id)
        champion = self._memory.adapters.alias(tenant, "champion")
        learned = self.learned(tenant, record_id)
        return Forgotten(tombstone, learned, alike, champion.id if champion else None)

    def _withdraw(self, tenant: str, record_id: str, retires: bool) -> None:
        """Take what learned from a record out of use."""
        if retires:
            learned = [version.id for version in self.learned(tenant, record_id)]
            reason = f"it learned from {record_id}, which was erased"
            self._memory.adapters.retire(tenant, learned, reason)
        self._drop_pieces()
        self._drop_kept(tenant, record_id)

    def finish(self) -> None:
        """End what is unfinished, of all tenants; what cannot be ended yet is tried again later."""
        for each in self._memory.erasures.unfinished():
            try:
                self.forget(each.tenant, each.record_id, each.by or "", retires=each.retires)
                logger.info("the erasure of %s is complete", each.record_id)
            except WhetMemoryError as error:
                logger.warning("the erasure of %s is not complete: %s", each.record_id, error)
        self._look_again(AGAIN_S if self._has_looked else AWAY_S)
        self._has_looked = True
        self._memory.notes.drop_expired()
        self._memory.adapters.drop_strays()
        self._memory.forgetting.look_again(time.time() - AWAY_S)
        self._memory.adapters.drop_loose()  # last: the store may be away

    async def follow(self) -> None:
        """Finish, now and from time to time."""
        while True:
            try:
                await self._memory.aside.importing.run(self.finish)
            except WhetMemoryError as error:
                logger.warning("open erasures could not be gone on with: %s", error)
            except Exception:  # the task's boundary: nobody would see that it ended
                logger.exception("open erasures could not be gone on with")
            await asyncio.sleep(SWEEP_S)

    def _look_again(self, since_s: float) -> None:
        """Delete what was being trained on a record while it was erased, in the last `since_s`."""
        erased: dict[str, set[str]] = defaultdict(set)
        until = 0.0
        for each in self._memory.erasures.since(time.time() - since_s):
            erased[each.tenant].add(each.record_id)
            until = max(until, each.ended_at or 0.0)
        self._drop_pieces(until)
        for tenant, records in erased.items():
            versions = self._memory.adapters.list(tenant)
            retired = [version.id for version in versions if version.retired is not None]
            self._drop_learned(tenant, records, retired)

    def _drop_kept(self, tenant: str, record_id: str) -> None:
        """Delete the adapters of requests that learned from a record, or from a retired version."""
        gone = [each.id for each in self.learned(tenant, record_id) if each.retired is not None]
        if keys := self._drop_learned(tenant, {record_id}, gone):
            self._memory.erasures.note(tenant, record_id, kept_adapters=keys)

    def _drop_pieces(self, until: float = math.inf) -> None:
        try:
            drop_pieces(self._memory.data_dir, until)
        except OSError as error:
            raise StorageUnavailableError(
                f"what workers found cannot be deleted, and may hold what was erased: {error}"
            ) from error

    def _drop_learned(
        self, tenant: str, records: Collection[str], adapters: Collection[str]
    ) -> tuple[str, ...]:
        try:
            remove_left()
            return drop_learned_from(self._memory.data_dir / FOLDER, tenant, records, adapters)
        except OSError as error:
            raise StorageUnavailableError(
                f"a kept adapter cannot be deleted, and may hold what was erased: {error}"
            ) from error
