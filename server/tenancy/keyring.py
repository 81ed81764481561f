"""The keys in force, as the database has them: read again when they have changed."""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
import time

from memory.aside import Aside
from memory.errors import WhetMemoryError
from memory.keys import ApiKey, KeyStore
from server.tenancy.secret import Secret

logger = logging.getLogger(__name__)

AGE_S = 1.0
"""What another process changes is seen after so long, and the time of one look."""
NOTED_EVERY_S = 60.0
"""Between two notes of when keys were used last."""


class Keyring:
    """Finds keys, and never has a request wait for the database but for a key it does not know."""

    def __init__(self, store: KeyStore, secret: Secret, aside: Aside) -> None:
        self._store, self._secret, self._aside = store, secret, aside
        self._keys: dict[str, ApiKey] = {}
        self._revision = -1
        self._looked_at = -math.inf
        self._looking: asyncio.Task[None] | None = None
        self._noted_at = time.monotonic()
        self._used: dict[str, float] = {}

    async def find(self, key: str) -> ApiKey | None:
        """Return a key that is valid now; raises `WhetMemoryError` where none was ever read."""
        digest = self._secret.digest_of(key)
        await self._look(must_wait=digest not in self._keys)
        found, now = self._keys.get(digest), time.time()
        if found is None or not hmac.compare_digest(found.digest, digest):
            return None
        if not found.is_valid(now):
            return None
        self._used[found.id] = now
        return found

    async def is_empty(self) -> bool:
        """Whether no key was ever made: one that has ended still closes the door."""
        await self._look()
        return not self._keys

    def forget(self) -> None:
        """Have the next look read everything: keys were changed here."""
        self._looked_at = -math.inf

    async def close(self) -> None:
        """Note the last uses."""
        if self._looking is not None:
            await asyncio.wait([self._looking])
        await self._note()

    async def _look(self, *, must_wait: bool = False) -> None:
        """Look whether keys have changed, beside the request where it can do with those there are.

        Looks are `AGE_S` apart, also those that unknown keys ask for.
        """
        age_s = time.monotonic() - self._looked_at
        if age_s < AGE_S:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._refresh())
        if must_wait or age_s == math.inf:
            await asyncio.shield(self._looking)

    async def _refresh(self) -> None:
        """Read what has changed; while the database cannot be read, what was read last holds."""
        begun = time.monotonic()
        try:
            revision = await self._aside.reading.run(self._store.revision)
            if revision != self._revision:
                keys = await self._aside.reading.run(self._store.list)
                self._keys, self._revision = {key.digest: key for key in keys}, revision
        except WhetMemoryError as error:
            if self._revision < 0:
                raise
            logger.warning("keys are those read before: %s", error)
        self._looked_at = begun
        if begun - self._noted_at >= NOTED_EVERY_S:
            self._noted_at = begun
            await self._note()

    async def _note(self) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await self._aside.writing.run(self._store.note_use, used)
        except WhetMemoryError as error:
            logger.warning("the last use of %d keys was not noted: %s", len(used), error)
