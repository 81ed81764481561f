"""Copies of a database as it was before a migration: `whet.db.schema-0007`, beside it.

Owns how many there are and how old they grow. They hold what was erased since, so they do not stay.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from memory.errors import StorageUnavailableError
from memory.store.durable import sync_folder

log = logging.getLogger(__name__)

KEPT = 2
MAX_AGE_S = 30 * 86_400
UNFINISHED = ".part"


def keep_copy(path: Path, version: str, copy: Callable[[Path], None]) -> None:
    """Have `copy` write the database of `path`, of schema `version`, beside it.

    Raises `StorageUnavailableError` where that fails.
    """
    target = path.with_name(f"{path.name}.schema-{version}")
    part = target.with_name(target.name + UNFINISHED)
    try:
        part.unlink(missing_ok=True)
        copy(part)
        part.replace(target)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageUnavailableError(
            f"{path} stays at schema {version}: no copy of it can be kept at {target} "
            f"({error.strerror}): make room there, and start again"
        ) from error
    finally:
        _delete(part)
    words = (
        "%s is migrated from schema %s: a copy from before lies beside it, %s. "
        "Restart a server of the older Whet that is still running on it"
    )
    log.warning(words, path.name, version, target.name)
    for old in _copies(path)[KEPT:]:
        _delete(old)


def drop_old_copies(path: Path) -> None:
    """Delete the copies of the database at `path` that are older than 30 days."""
    for copy in _copies(path):
        if _age_s(copy) > MAX_AGE_S:
            _delete(copy)


def drop_copies(path: Path, before: float | None = None) -> tuple[str, ...]:
    """Delete the copies of the database at `path`; return the names of those that are gone.

    They hold what was erased since: all that there are, or those made before a Unix time. Raises
    `StorageUnavailableError` for one that stays.
    """
    found = [copy for copy in _copies(path) if before is None or _made_at(copy) < before]
    for copy in found:
        try:
            copy.unlink(missing_ok=True)
        except OSError as error:
            raise StorageUnavailableError(
                f"{copy} cannot be deleted, and may hold what was erased ({error.strerror}): "
                "mend that and forget the record again"
            ) from error
    return tuple(sorted(copy.name for copy in found))


def _copies(path: Path) -> list[Path]:
    """The copies there are, newest first."""
    return sorted(path.parent.glob(f"{path.name}.schema-*"), key=_age_s)


def _age_s(copy: Path) -> float:
    return time.time() - _made_at(copy)


def _made_at(copy: Path) -> float:
    try:
        return copy.stat().st_mtime
    except OSError:  # another process was quicker
        return time.time()


def _delete(copy: Path) -> None:
    try:
        copy.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be deleted, and may hold what was erased: %s", copy, error)
