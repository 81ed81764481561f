"""The files of a version, which another replica may have made: fetched beside what is served.

A store may be slow, or answer nothing. Whoever follows the registry waits for it for a moment only,
finds the fetch still under way, and looks again at the next turn.
"""

from __future__ import annotations

import asyncio

from memory.threads import Threads
from memory.types import AdapterVersion
from memory.versions.adapters import AdapterRegistry

PATIENCE_S = 2.0
"""For files that are here, or in a store that is well."""
AT_ONCE = 16
"""Versions of all tenants that are fetched beside each other."""


def threads_to_fetch() -> Threads:
    """Return threads for nothing else: a silent store would take those that all the server has."""
    return Threads("fetch-adapters", AT_ONCE)


class Fetching:
    """One fetch at a time, for one who follows a version."""

    def __init__(self, registry: AdapterRegistry, threads: Threads) -> None:
        self._registry, self._threads = registry, threads
        self._version: str | None = None
        self._work: asyncio.Task[bool] | None = None

    async def are_there(self, version: AdapterVersion) -> bool | None:
        """Return whether a version's files are here and whole; None: they are being fetched still.

        Raises `WhetMemoryError` where the store cannot be used.
        """
        if self._work is None or self._version != version.id:
            self._version = version.id
            self._work = asyncio.create_task(self._threads.run(self._registry.files_ok, version))
        await asyncio.wait([self._work], timeout=PATIENCE_S)
        if not self._work.done():
            return None
        work, self._work = self._work, None
        return work.result()
