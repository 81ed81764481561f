"""Names, ids and folders for adapters, each used by one adapter at a time.

Two ids under one name in a batch kill vLLM, and a name used once leaves a metric series behind:
so names are leased from a small pool. Ids and paths are never reused: prefix-cache keys hold them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil

from adaptation.recent import Recent

SHARED_MEMORY = Path("/dev/shm")
PREFIX = "whet-adapters-"
FIRST_ID = 1_000_000
"""vLLM counts the adapters it loads itself from 1, and takes one id for one adapter."""
CHAMPION_IDS = 2 * FIRST_ID
"""From here on; below are those of per-request adapters."""


@dataclass(frozen=True)
class Lease:
    """A name, an id and a fresh folder that nobody else uses."""

    name: str
    id: int
    folder: Path
    since: float
    """`time.monotonic()` when it was taken."""


def remove_orphans(parent: Path, prefix: str = PREFIX) -> None:
    """Delete the folders of processes that were killed before they could clean up.

    Their names begin with `prefix` and the process's id.
    """
    for folder in parent.glob(f"{prefix}*-*"):
        owner = folder.name.removeprefix(prefix).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def default_folder() -> Path:
    """Return where adapters are put that nobody gives a place: in memory, where there is such."""
    return SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())


class AdapterLeases:
    """A pool of `size` adapter names; asking for one more waits until one comes back."""

    def __init__(
        self,
        size: int,
        root: Path | None = None,
        *,
        name: str = "whet-adapter",
        first_id: int = FIRST_ID,
    ) -> None:
        """Put folders below `root`; by default in memory (`/dev/shm`) where there is such.

        Two pools for one engine differ in `name` and `first_id`.
        """
        parent = root or default_folder()
        remove_orphans(parent)
        self._root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))
        self._ids = count(first_id)
        self._size = size
        self.waiting = 0
        """Requests that wait for a name."""
        self.unused = 0
        """Names that are held, and given up as soon as somebody waits: see `LoadedAdapters`."""
        self._holds = Recent()
        self._names: asyncio.Queue[str] = asyncio.Queue()
        for number in range(size):
            self._names.put_nowait(f"{name}-{number}")

    @property
    def free(self) -> int:
        """Names nobody holds."""
        return self._names.qsize()

    @property
    def expected_wait_s(self) -> float:
        """How long one more would wait for a name, by how long names were held lately.

        With n names held for h seconds each, one comes back every h / n seconds (Little's law).
        """
        if self.free + self.unused > self.waiting:
            return 0.0
        return (self.waiting + 1) * self._holds.typical_s / self._size

    async def acquire(self) -> Lease:
        """Wait for a name and return it with a fresh id and an empty folder."""
        self.waiting += 1
        try:
            name = await self._names.get()
        finally:
            self.waiting -= 1
        return self._lease(name)

    def take(self) -> Lease | None:
        """Like `acquire`, without a wait: None where every name is held."""
        return None if self._names.empty() else self._lease(self._names.get_nowait())

    def _lease(self, name: str) -> Lease:
        number = next(self._ids)
        folder = self._root / str(number)
        try:
            folder.mkdir()
        except OSError:
            self._names.put_nowait(name)
            raise
        return Lease(name, number, folder, time.monotonic())

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Hold a fresh folder, which needs no name, for the length of a `with` block."""
        folder = self._root / f"made-{next(self._ids)}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def release(self, lease: Lease) -> None:
        """Give back a name that was used until now."""
        self.note_use(time.monotonic() - lease.since)
        self.give_back(lease)

    def note_use(self, seconds: float) -> None:
        """Note how long a name was used, which is how long others wait for one."""
        self._holds.add(seconds)

    def give_back(self, lease: Lease) -> None:
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
