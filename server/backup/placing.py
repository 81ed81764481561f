"""A restored folder takes its place at once; what was there is moved aside, never deleted."""

from __future__ import annotations

import errno
import time
from pathlib import Path

from memory.store.durable import sync_folder
from server.backup.exchange import exchange
from server.backup.workplace import told
from server.terminal import CommandError


def check_place(target: Path, force: bool) -> None:
    """Refuse a place where a folder cannot be put; raises `CommandError`."""
    if target.is_mount():
        raise CommandError(_mounted(target))
    if not force and is_filled(target):
        raise CommandError(
            f"{target} is not empty: --force moves what it holds aside, --data-dir names another"
        )


def put_in_place(work: Path, target: Path) -> Path | None:
    """Give the folder `work` the name `target`; return where that which had the name lies now."""
    aside = None
    with told(target):
        try:
            if target.exists():
                work.chmod(target.stat().st_mode & 0o777)
            if is_filled(target):
                aside = _exchanged(work, target)
            else:
                work.rename(target)
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.EXDEV):
                raise CommandError(_mounted(target)) from error
            raise
        sync_folder(target.parent)
    return aside


def is_filled(folder: Path) -> bool:
    """Whether there is a folder that holds anything."""
    return folder.is_dir() and next(folder.iterdir(), None) is not None


def _exchanged(work: Path, target: Path) -> Path:
    """Exchange both; first `work` leaves its place, which the next restore would sweep."""
    aside = _free_name(target)
    work.rename(aside)
    try:
        exchange(aside, target)
    except OSError:
        aside.rename(work)
        raise
    return aside


def _free_name(target: Path) -> Path:
    name = f"{target.name}.before-restore-{time.strftime('%Y%m%d-%H%M%S')}"
    candidates = (target.with_name(name + end) for end in ("", *(f"-{n}" for n in range(2, 100))))
    return next(path for path in candidates if not path.exists())


def _mounted(target: Path) -> str:
    return (
        f"{target} is where a disk is mounted, and cannot be exchanged: restore to a folder below "
        f"it (--data-dir {target / 'whet'}), and serve from there"
    )
