"""A folder for work that is to appear at once: beside its place, one process's alone, then gone.

What a killed process left in it is swept away by the next one that works there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memory.store.database_file import file_at
from memory.store.folder_use import locked
from server.terminal import CommandError


@contextmanager
def workplace(path: Path) -> Iterator[Path]:
    """Yield an empty folder at `path`, which is deleted afterwards, unless it was moved away."""
    with told(path.parent):
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _hold(descriptor, path)
        _sweep(path)
        try:
            yield path
        finally:
            if file_at(path) == _file(descriptor):
                shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)


@contextmanager
def told(place: Path | str) -> Iterator[None]:
    """Say in our words what the file system refuses to write at a place."""
    try:
        yield
    except BrokenPipeError:
        raise  # nobody reads any more: the command line knows what to do
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            problem, advice = "the disk is full", "make room there, or name another place"
        else:
            problem, advice = error.strerror or str(error), "name another place"
        raise CommandError(f"{place} cannot be written: {problem}: {advice}") from error


def _hold(descriptor: int, path: Path) -> None:
    is_ours = locked(descriptor, fcntl.LOCK_EX)
    if not is_ours or file_at(path) != _file(descriptor):
        raise CommandError(f"another process works in {path}: wait for it to end")
    locked(descriptor, fcntl.LOCK_SH)  # a database that is opened in it shares it


def _file(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def _sweep(path: Path) -> None:
    with told(path):
        for left in path.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()
