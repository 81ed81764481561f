"""Parsers of files that somebody else may have written: settings, snapshots, archives, adapters."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from contextlib import suppress
from pathlib import Path

from loadtests.fuzz.target import Broken, a_folder
from memory.errors import InvalidAdapterError
from memory.index.snapshots import SnapshotFolder
from memory.versions.adapter_files import CONFIG, WEIGHTS, check_files
from server.backup.errors import UnfitArchiveError
from server.backup.manifest import parse_manifest
from server.backup.seal import check_seal
from server.backup.unpacking import unpack
from server.config import ConfigError
from server.settings.setting_sources import resolve
from server.tuning.calibrations import CALIBRATIONS
from server.tuning.tuned import TUNED

DIM = 4


def settings(data: bytes) -> None:
    """A whet.toml is settings, or refused in a line that names it."""
    with a_folder() as folder:
        path = folder / "whet.toml"
        path.write_bytes(data)
        try:
            resolve({}, {}, path)
        except ConfigError as error:
            if str(path) not in str(error):
                raise Broken("the refusal does not name the file") from error


def findings(data: bytes) -> None:
    """What was found out about models is read, or to be made again."""
    for found in (TUNED, CALIBRATIONS):
        with a_folder() as folder:
            (folder / found._file).write_bytes(data)
            with suppress(ConfigError):
                found.load(folder, "m")


def snapshot(data: bytes) -> None:
    """A snapshot is vectors of the right shape, or is set aside: sealed or not."""
    manifest, _, content = data.partition(b"\n")
    with a_folder() as folder:
        kept = SnapshotFolder(folder, "hashing", DIM)
        for written in (data, _sealed(manifest, content)):
            kept.path("ann").write_bytes(written)
            found = kept.read("ann")
            if found is not None and found.vectors.shape != (len(found.numbers), DIM):
                raise Broken("a snapshot has vectors of another shape")


def _sealed(manifest: bytes, content: bytes) -> bytes:
    """A snapshot that claims what the bytes say, of our tenant and with the right checksum."""
    try:
        claimed = json.loads(manifest)
    except (ValueError, RecursionError):
        claimed = {}
    ours = {"tenant": "ann", "embedder": "hashing", "dim": DIM, "count": 0, "seq": 0, "mark": None}
    claims = ours | (claimed if isinstance(claimed, dict) else {})
    claims["sha256"] = hashlib.sha256(content).hexdigest()
    return json.dumps(claims).encode() + b"\n" + content


def archive(data: bytes) -> None:
    """An archive is unpacked into its folder, or refused; nothing lies beside the folder."""
    for given in (data, _packed(data)):
        with a_folder() as folder:
            inside = folder / "inside"
            inside.mkdir()
            with suppress(UnfitArchiveError):
                check_seal(io.BytesIO(given), lambda done, total: None)
            with suppress(UnfitArchiveError):
                unpack(io.BytesIO(given), inside, lambda done, total: None)
            if [path.name for path in folder.iterdir()] != ["inside"]:
                raise Broken("something was unpacked beside the folder")


def _packed(data: bytes) -> bytes:
    """An archive whose manifest, names and contents the bytes choose."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        for name, _, content in (part.partition(b"\n") for part in data.split(b"\n\n")):
            entry = tarfile.TarInfo(name.decode("latin-1"))
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def manifest(data: bytes) -> None:
    """A manifest names files of a data folder only, or is refused."""
    try:
        found = parse_manifest(data)
    except UnfitArchiveError:
        return
    for member in found.members:
        if ".." in Path(member.name).parts or Path(member.name).is_absolute():
            raise Broken(f"{member.name!r} leads out of the folder")


def adapter(data: bytes) -> None:
    """An adapter's files are one of the right rank, or refused."""
    config, _, weights = data.partition(b"\n\n")
    with a_folder() as folder:
        (folder / CONFIG).write_bytes(config)
        (folder / WEIGHTS).write_bytes(weights)
        with suppress(InvalidAdapterError):
            check_files(folder, 8)
