"""What of a data folder belongs into a backup, brought to stand still while a server works on.

The database comes first, then what it refers to: an adapter's files are there before its row is,
and never change. What can be had anew stays out: index snapshots, kept adapters, converted models.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from memory.errors import StorageUnavailableError
from memory.holdings import Holdings, holdings_of
from memory.store.artifacts import Artifacts
from memory.store.database import open_database
from memory.store.database_copy import copy_database
from memory.store.sqlite import advice
from memory.versions.adapter_files import FILES
from memory.versions.adapter_shelf import AdapterShelf
from server.backup.manifest import ADAPTERS, DATABASE, EVALUATIONS, SINGLE_FILES, is_member
from server.backup.place import Place
from server.backup.workplace import told
from server.terminal import CommandError


@dataclass(frozen=True)
class Contents:
    """Files that no longer change."""

    holdings: Holdings
    files: Mapping[str, Path]
    """Name in the backup → where it lies."""
    left_out: tuple[str, ...]
    """Adapters whose files are missing or damaged."""


def gather(place: Place, work: Path, advance: Callable[[int, int], None]) -> Contents:
    """Collect a data folder's files, copying to the folder `work` what a server goes on writing.

    The database is a file of it, or the one at a URL, which becomes such a file. `advance` is told
    how much of the database is copied, and of how much.
    """
    data_dir, url = place.data_dir, place.url
    if url is None:
        _copy_file(data_dir / DATABASE, work / DATABASE, advance)
    else:
        with closing(open_database(data_dir, url)) as database, told(work):
            database.copy_to(work / DATABASE, advance)
    holdings = holdings_of(work / DATABASE)
    files = {DATABASE: work / DATABASE}
    for name in _written_on(data_dir):
        if (copy := _copy(data_dir / name, work / name)) is not None:
            files[name] = copy
    left_out = []
    shared = None if place.artifacts is None else Artifacts(place.artifacts)
    shelf = AdapterShelf(data_dir / ADAPTERS, shared)
    for adapter_id, content in sorted(holdings.adapters.items()):
        folder = shelf.path(adapter_id)
        both = {f"{ADAPTERS}/{adapter_id}/{name}": folder / name for name in FILES}
        if all(map(is_member, both)) and shelf.holds(adapter_id, content):
            files |= both
        else:
            left_out.append(adapter_id)
    return Contents(holdings, files, tuple(left_out))


def _copy_file(source: Path, target: Path, advance: Callable[[int, int], None]) -> None:
    if _is_absent(source):
        raise CommandError(f"there is no memory in {source.parent}: name another with --data-dir")
    try:
        with told(target):
            copy_database(source, target, advance)
    except sqlite3.Error as error:
        raise StorageUnavailableError(advice(source, error)) from error


def _is_absent(path: Path) -> bool:
    """Whether nothing is there; what may not be looked at is left for SQLite to refuse."""
    try:
        path.stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def _written_on(data_dir: Path) -> Iterator[str]:
    """The names of files that commands add to or replace."""
    yield from SINGLE_FILES
    found = sorted(path.name for path in (data_dir / EVALUATIONS).glob("*.jsonl"))
    yield from (name for each in found if is_member(name := f"{EVALUATIONS}/{each}"))


def _copy(source: Path, target: Path) -> Path | None:
    """Copy a file as it is now, None where there is none; a last line may be cut off."""
    try:
        stream = source.open("rb")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror}") from error
    with stream, told(target):
        target.parent.mkdir(exist_ok=True)
        with target.open("wb") as copy:
            shutil.copyfileobj(stream, copy)
    return target
