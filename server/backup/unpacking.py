"""From one archive to files: nothing is taken that the manifest does not name, size and hash."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from server.backup.errors import UnfitArchiveError
from server.backup.manifest import MAX_BYTES, NAME, NO_BACKUP, Manifest, Member, parse_manifest
from server.backup.seal import CHUNK_BYTES
from server.backup.telling import Meter
from server.backup.workplace import told

Advance = Callable[[int, int], None]
"""Told how many bytes are unpacked, and of how many."""
BROKEN = (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile)
MB = 1_000_000
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
"""What is unpacked is its owner's only, as the secret is among it."""


def unpack(stream: BinaryIO, folder: Path, advance: Advance) -> Manifest:
    """Unpack an archive into an empty folder.

    Raises `UnfitArchiveError` where a member is not as it should be; what was unpacked before that
    stays in the folder.
    """
    with _opened(stream) as tar:
        manifest = _manifest(tar)
        _need(folder, manifest)
        wanted = {member.name: member for member in manifest.members}
        meter = Meter(manifest.size_bytes, advance)
        while (entry := tar.next()) is not None:
            _unpack(tar, entry, wanted.pop(entry.name, None), folder, meter)
    if wanted:
        raise UnfitArchiveError(f"{NO_BACKUP}: {next(iter(wanted))} is missing")
    return manifest


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[tarfile.TarFile]:
    try:
        with (
            gzip.GzipFile(fileobj=stream) as packed,
            tarfile.open(fileobj=packed, mode="r|") as tar,
        ):
            yield tar
    except BROKEN as error:
        raise UnfitArchiveError(NO_BACKUP) from error


def _manifest(tar: tarfile.TarFile) -> Manifest:
    entry = tar.next()
    file = tar.extractfile(entry) if entry and entry.type == tarfile.REGTYPE else None
    if entry is None or file is None or entry.name != NAME or entry.size > MAX_BYTES:
        raise UnfitArchiveError(f"{NO_BACKUP}: it has no manifest")
    return parse_manifest(file.read())


def _need(folder: Path, manifest: Manifest) -> None:
    free = shutil.disk_usage(folder).free
    if free < manifest.size_bytes:
        needed = f"{manifest.size_bytes // MB} MB in {folder.parent}"
        raise UnfitArchiveError(
            f"it takes {needed}, and {free // MB} MB are free: "
            "make room there, or choose another folder with --data-dir"
        )


def _unpack(
    tar: tarfile.TarFile, entry: tarfile.TarInfo, member: Member | None, folder: Path, meter: Meter
) -> None:
    """Write one member; its name was held against the names there may be, with the manifest."""
    file = tar.extractfile(entry) if entry.type == tarfile.REGTYPE else None
    if member is None or file is None or entry.size != member.size:
        raise UnfitArchiveError(f"{NO_BACKUP}: {entry.name!r} is not as its manifest says")
    target = folder / member.name
    digest = hashlib.sha256()
    with told(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(target, NEW, 0o600), "wb") as output:
            for chunk in _chunks(file):
                digest.update(chunk)
                output.write(chunk)
                meter.add(len(chunk))
    if digest.hexdigest() != member.sha256:
        raise UnfitArchiveError(f"{entry.name} is damaged: take another backup")


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    try:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
    except (*BROKEN, OSError) as error:
        raise UnfitArchiveError(f"it cannot be read to its end ({error}): copy it again") from error
