"""`whet backup`: gathered, packed, and at its place whole or not at all."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import BinaryIO

from adaptation.learning.leases import remove_orphans
from memory.store.durable import sync_folder
from server.backup.contents import gather
from server.backup.manifest import Manifest
from server.backup.packing import describe, pack
from server.backup.place import Place
from server.backup.telling import in_mb
from server.backup.workplace import told, workplace
from server.terminal import AdvancePhase, CommandError

WORK = "whet-backup-"
"""Begins the names of folders for temporary files, before the id of their process."""


@dataclass(frozen=True)
class Taken:
    """A backup that was made."""

    manifest: Manifest
    size_bytes: int


def take(place: Place, file: Path, advance: AdvancePhase) -> Taken:
    """Back up a memory to a file, which a failure leaves as it was; raises `CommandError`."""
    file = file.resolve()
    with told(file):
        _check_place(file, place.data_dir.resolve())
    with workplace(file.with_name(f".{file.name}.part")) as work:
        made = work / "archive"
        with told(file):
            with made.open("xb") as stream:
                taken = _take(place, work, stream, advance)
                os.fsync(stream.fileno())
            made.replace(file)
            sync_folder(file.parent)
    return taken


def take_to_stdout(place: Place, advance: AdvancePhase) -> Taken:
    """Back up a memory to standard output, by way of the folder for temporary files."""
    remove_orphans(Path(gettempdir()), WORK)
    with TemporaryDirectory(prefix=f"{WORK}{os.getpid()}-") as work, told("standard output"):
        return _take(place, Path(work), sys.stdout.buffer, advance)


def _check_place(file: Path, data_dir: Path) -> None:
    if not file.parent.is_dir():
        raise CommandError(f"there is no folder {file.parent}: make it, or name another place")
    if file.exists() and not file.is_file():
        raise CommandError(f"{file} is no file: name one, or - for standard output")
    if file.is_relative_to(data_dir):
        raise CommandError(f"{file} lies in the data folder it is to back up: name another place")


def _take(place: Place, work: Path, stream: BinaryIO, advance: AdvancePhase) -> Taken:
    phase = "copying, pages" if place.url is None else "copying, rows"
    contents = gather(place, work, lambda done, total: advance(phase, done, total))
    manifest = describe(contents)
    size = pack(manifest, contents.files, stream, in_mb(advance, "packing"))
    return Taken(manifest, size)
