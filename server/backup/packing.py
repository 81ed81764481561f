"""From files to one archive: a manifest, the files, the seal."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from server.backup.contents import Contents
from server.backup.manifest import NAME, Manifest, Member
from server.backup.seal import Sealing
from server.backup.telling import Meter
from server.terminal import CommandError
from server.version import installed_version

QUICKEST = 1
"""Half of a memory is vectors and weights, which hardly shrink."""


def describe(contents: Contents) -> Manifest:
    """Write the manifest of files that no longer change."""
    holdings = contents.holdings
    return Manifest(
        schema_version=holdings.schema,
        whet=installed_version(),
        created_at=datetime.now(UTC),
        records=holdings.records,
        adapters=tuple(sorted(set(holdings.adapters) - set(contents.left_out))),
        left_out=contents.left_out,
        members=tuple(_member(name, path) for name, path in contents.files.items()),
    )


def pack(
    manifest: Manifest,
    files: Mapping[str, Path],
    stream: BinaryIO,
    advance: Callable[[int, int], None],
) -> int:
    """Write an archive to a stream and return its size in bytes.

    `advance` is told how many bytes of the files are packed, and of how many.
    """
    sealing = Sealing(stream)
    packed = gzip.GzipFile("", "wb", QUICKEST, cast(BinaryIO, sealing), mtime=0)
    meter = Meter(manifest.size_bytes, advance)
    with packed, tarfile.open(fileobj=packed, mode="w") as tar:
        text = manifest.model_dump_json(indent=1).encode()
        tar.addfile(_entry(manifest, NAME, len(text)), io.BytesIO(text))
        for member in manifest.members:
            with _Unchanged(files[member.name], member, meter) as reader:
                tar.addfile(_entry(manifest, member.name, member.size), cast(BinaryIO, reader))
    sealing.close()
    return sealing.size


class _Unchanged:
    """A reader of a file that must be what the manifest says."""

    def __init__(self, path: Path, member: Member, meter: Meter) -> None:
        self._path, self._member, self._meter = path, member, meter
        self._stream = _reading(path)
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Read on."""
        data = self._stream.read(size)
        self._digest.update(data)
        self._meter.add(len(data))
        return data

    def __enter__(self) -> _Unchanged:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._stream.close()
        if kind is None and self._digest.hexdigest() != self._member.sha256:
            raise CommandError(f"{self._path} changed while it was copied: take the backup again")


def _member(name: str, path: Path) -> Member:
    with _reading(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Member(name=name, size=file.tell(), sha256=digest)


def _reading(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}: try again") from error


def _entry(manifest: Manifest, name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    entry.mtime = int(manifest.created_at.timestamp())
    return entry
