"""The keys in force."""

from __future__ import annotations

import asyncio
import logging
import time

from memory.aside import Aside
from memory.errors import WhetMemoryError
from memory.keys import ApiKey, KeyStore
from server.tenancy.followed import Followed
from server.tenancy.principal import Principal
from server.tenancy.secret import Secret

logger = logging.getLogger(__name__)

NOTED_EVERY_S = 60.0
"""Between two notes of when keys were used last."""


class Keyring:
    """Finds keys, and never has a request wait for the database but for a key it does not know."""

    def __init__(self, store: KeyStore, secret: Secret, aside: Aside) -> None:
        self._store, self._secret, self._aside = store, secret, aside
        self._keys = Followed("keys", store.revision, self._read, aside.reading)
        self._had_any = False
        self._noted_at = time.monotonic()
        self._noting: asyncio.Task[None] | None = None
        self._used: dict[str, float] = {}

    async def find(self, key: str) -> ApiKey | None:
        """Return a key that is valid now; raises `WhetMemoryError` where none was ever read."""
        digest = self._secret.digest_of(key)
        keys = await self._keys.value()
        if digest not in keys:
            keys = await self._keys.value(must_wait=True)
        found, now = keys.get(digest), time.time()
        if found is None or not found.is_valid(now):
            return None
        self._used[found.id] = now
        self._note_in_time()
        return found

    async def still_admits(self, who: Principal) -> bool:
        """Whether what let somebody in still does, for what outlasts one look.

        What another process changes is seen after some seconds.
        """
        if not who.has_key:
            return await self.is_empty()
        if who.key_id is None:  # the server's own key, which it has as long as it runs
            return True
        keys, now = await self._keys.value(), time.time()
        return any(key.id == who.key_id and key.is_valid(now) for key in keys.values())

    async def is_empty(self) -> bool:
        """Whether no key was ever made: one that has ended still closes the door, and so does one
        whose database is gone."""
        await self._keys.value()
        return not self._had_any

    def forget(self) -> None:
        """Have the next look read everything: keys were changed here."""
        self._keys.forget()

    async def close(self) -> None:
        """Note the last uses."""
        await self._keys.close()
        if self._noting is not None:
            await asyncio.wait([self._noting])
        await self._note()

    def _read(self) -> dict[str, ApiKey]:
        keys = {key.digest: key for key in self._store.list()}
        self._had_any = self._had_any or bool(keys)
        return keys

    def _note_in_time(self) -> None:
        is_noting = self._noting is not None and not self._noting.done()
        if time.monotonic() - self._noted_at >= NOTED_EVERY_S and not is_noting:
            self._noted_at = time.monotonic()
            self._noting = asyncio.create_task(self._note())

    async def _note(self) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await self._aside.writing.run(self._store.note_use, used)
        except WhetMemoryError as error:
            logger.warning("the last use of keys (%d) was not noted: %s", len(used), error)
