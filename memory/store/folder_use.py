"""Who uses a folder: many at once, or one alone, as all processes of this machine see it.

Owns the lock on the folder itself, so that no file is left behind and a killed process holds
nothing. Where a file system knows no such locks, nobody is in anybody's way.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from memory.errors import StorageBusyError


class SharedUse:
    """The use of a folder beside others, from `take` to `release`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def take(self) -> None:
        """Use the folder that is at the path now; `StorageBusyError` where one has it alone."""
        self.release()
        self._descriptor = opened(self._folder)
        if self._descriptor is not None and not locked(self._descriptor, fcntl.LOCK_SH):
            self.release()
            raise StorageBusyError(f"{self._folder} is being restored: wait for that to end")

    def release(self) -> None:
        """Use it no more."""
        if self._descriptor is not None:
            locked(self._descriptor, fcntl.LOCK_UN)  # a forked child may hold it open
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Have a folder alone, if it is there; `StorageBusyError` where another process uses it."""
    descriptor = opened(folder)
    try:
        if descriptor is not None and not locked(descriptor, fcntl.LOCK_EX):
            raise StorageBusyError(
                f"{folder} is in use: stop the server and every whet command there, then try again"
            )
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def sole_job(folder: Path, job: str) -> Iterator[None]:
    """Have a job alone that is about a folder; `StorageBusyError` where another process has it."""
    lock = FileLock(folder / f".{hashlib.sha256(job.encode()).hexdigest()[:16]}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        told = f"another process does this already: {job}: wait for its end"
        raise StorageBusyError(told) from error
    try:
        yield
    finally:
        lock.release()


def opened(folder: Path) -> int | None:
    """Return a descriptor of a folder; None where it is not there or may not be read."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None


def locked(descriptor: int, operation: int) -> bool:
    """Whether the lock was got, or changed, at once; a file system without locks gives any."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
