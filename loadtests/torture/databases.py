"""The two kinds of database that are tortured: files of SQLite's, and a PostgreSQL of our own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from loadtests.postgres import ABSENT, UNSYNCED, Cluster, programs
from memory.store.database import open_database

SQLITE, POSTGRESQL = "sqlite", "postgresql"
NAMES = (SQLITE, POSTGRESQL)
ALONG = 8
"""Every so many-th kill takes a process of PostgreSQL's along."""


class Databases(Protocol):
    """Where torture has its memories; a URL of None is a file in the memory's folder."""

    def new(self, template: str | None = None) -> str | None:
        """Make a database: a copy of another one, or an empty memory."""

    def drop(self, url: str | None) -> None:
        """Delete a database that nobody uses any more."""

    def kill(self, process: int, url: str | None) -> bool:
        """Send SIGKILL to who works on a database; whether one of the database's went along."""


class Files:
    """SQLite: one file in the folder of each memory."""

    def new(self, template: str | None = None) -> str | None:
        """Return None: who opens a folder makes the file."""

    def drop(self, url: str | None) -> None:
        """The folder is deleted with all that is in it."""

    def kill(self, process: int, url: str | None) -> bool:
        """Kill the process, which is all there is."""
        os.kill(process, signal.SIGKILL)
        return False


class Servers:
    """Databases of one PostgreSQL server, copies of one that was migrated once."""

    def __init__(self, cluster: Cluster, empty: str) -> None:
        self._cluster, self._empty = cluster, empty
        self._kills = count(1)

    def new(self, template: str | None = None) -> str:
        """Copy a database that nobody is connected to."""
        return self._cluster.database(template or self._empty)

    def drop(self, url: str | None) -> None:
        """Drop it, whoever uses it."""
        if url is not None:
            self._cluster.drop(url)

    def kill(self, process: int, url: str | None) -> bool:
        """Kill the process, and now and then the one of PostgreSQL's that works for it.

        PostgreSQL then ends all of its processes, and recovers from its log. Whose work it did is
        stopped before, so that nothing of it is told after that.
        """
        takes_along = next(self._kills) % ALONG == 0
        working = self._cluster.processes_of(url or "")[:1] if takes_along else []
        if working:
            os.kill(process, signal.SIGSTOP)
            self._cluster.kill(*working)
        os.kill(process, signal.SIGKILL)
        return bool(working)


@contextmanager
def provided(name: str) -> Iterator[Databases]:
    """Yield databases of a kind for the length of the block."""
    if name == SQLITE:
        yield Files()
        return
    cluster = Cluster(UNSYNCED)
    try:
        empty = cluster.database()
        with TemporaryDirectory(prefix="whet-empty-") as folder:
            open_database(Path(folder), empty).close()
        yield Servers(cluster, empty)
    finally:
        cluster.remove()


def absent(name: str) -> str | None:
    """Return why there is no database of a kind here; None where there is."""
    if name == SQLITE:
        return None
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "PostgreSQL needs its driver: pip install 'whet[postgres]'"
    return None if programs() else ABSENT
