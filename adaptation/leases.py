"""Names, ids and folders for adapters, each used by one adapter at a time.

Two ids under one name in a batch kill vLLM, and a name used once leaves a metric series behind:
so names are leased from a small pool. Ids and paths are never reused: prefix-cache keys hold them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil

SHARED_MEMORY = Path("/dev/shm")
PREFIX = "whet-adapters-"
FIRST_ID = 1_000_000
"""vLLM counts the adapters it loads itself from 1, and takes one id for one adapter."""


@dataclass(frozen=True)
class Lease:
    """A name, an id and a fresh folder that nobody else uses."""

    name: str
    id: int
    folder: Path


def remove_orphans(parent: Path) -> None:
    """Delete the folders of processes that were killed before they could clean up."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


class AdapterLeases:
    """A pool of `size` adapter names; asking for one more waits until one comes back."""

    def __init__(self, size: int, root: Path | None = None) -> None:
        """Put folders below `root`; by default in memory (`/dev/shm`) where there is such."""
        parent = root or (SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir()))
        remove_orphans(parent)
        self._root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))
        self._ids = count(FIRST_ID)
        self.waiting = 0
        """Requests that wait for a name."""
        self._names: asyncio.Queue[str] = asyncio.Queue()
        for number in range(size):
            self._names.put_nowait(f"whet-adapter-{number}")

    @property
    def free(self) -> int:
        """Names nobody holds."""
        return self._names.qsize()

    async def acquire(self) -> Lease:
        """Wait for a name and return it with a fresh id and an empty folder."""
        self.waiting += 1
        try:
            name = await self._names.get()
        finally:
            self.waiting -= 1
        number = next(self._ids)
        folder = self._root / str(number)
        try:
            folder.mkdir()
        except OSError:
            self._names.put_nowait(name)
            raise
        return Lease(name, number, folder)

    def release(self, lease: Lease) -> None:
        """Give the name back and delete the folder."""
        shutil.rmtree(lease.folder, ignore_errors=True)
        self._names.put_nowait(lease.name)

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease]:
        """Hold a lease for the length of a `with` block."""
        lease = await self.acquire()
        try:
            yield lease
        finally:
            self.release(lease)

    def close(self) -> None:
        """Delete every folder."""
        shutil.rmtree(self._root, ignore_errors=True)
