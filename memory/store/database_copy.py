"""A copy of a SQLite file in use: consistent, checked, and whole without a second file.

Owns SQLite's online backup. Knows nothing of why a copy is made, nor where it goes.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

STEP_PAGES = 1024
ALL_PAGES = -1
PATIENCE = 3
"""How often writers may make the copy begin again. Then it is made in one step, and they wait."""
WAIT_S = 15.0

Advance = Callable[[int, int], None]
"""Told how many pages are done, and of how many."""


class _OvertakenError(Exception):
    """Writers are quicker than the copy."""


class _Steps:
    """What happens between two steps of a copy."""

    def __init__(self, advance: Advance | None) -> None:
        self._advance = advance
        self._left: int | None = None
        self._begun_again = 0

    def __call__(self, status: int, left: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise sqlite3.OperationalError("database is locked")
        self._begun_again += self._left is not None and left >= self._left
        if self._begun_again > PATIENCE:
            raise _OvertakenError
        self._left = left
        if self._advance:
            self._advance(total - left, total)


def copy_database(source: Path, target: Path, advance: Advance | None = None) -> None:
    """Copy a database with all that was committed before this call to a new, durable file.

    Raises `sqlite3.Error` where it cannot be read or is damaged, `OSError` for a full disk.
    """
    try:
        try:
            _copy(source, target, STEP_PAGES, advance)
        except _OvertakenError:
            target.unlink()  # what was begun and not ended is no database
            _copy(source, target, ALL_PAGES, advance)
        finish(target)
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
        raise


def opened(path: Path, mode: str) -> sqlite3.Connection:
    """Connect to a database that is there; `mode` is `ro` or `rw`."""
    # `rw` lets SQLite undo what a killed writer left half done; it reads where it may not write.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=WAIT_S)


def _copy(source: Path, target: Path, pages: int, advance: Advance | None) -> None:
    with closing(opened(source, "rw")) as theirs, closing(sqlite3.connect(target)) as ours:
        ours.execute("PRAGMA synchronous=OFF")  # it is synced at the end, once
        ours.execute("PRAGMA journal_mode=OFF")
        theirs.backup(ours, pages=pages, progress=_Steps(advance))


def finish(path: Path) -> None:
    """Take away the write-ahead log that a new file is marked to have, check it and sync it."""
    with closing(opened(path, "rw")) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"database disk image is malformed: {found}")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
