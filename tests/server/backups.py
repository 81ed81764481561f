"""Data folders and archives for the tests of backups."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sqlite3
import tarfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier
from memory.versions.adapter_files import CONFIG, WEIGHTS
from memory.versions.adapters import NewVersion
from server.backup.place import Place
from server.backup.restoring import Restored, restore
from server.backup.seal import Sealing
from server.backup.taking import Taken, take
from server.tenancy.secret import Secret

TUNED = b'{"pebble": "what was tuned"}'


def quiet(phase: str, done: int, total: int | None) -> None:
    """Nobody looks at the progress."""


def backed_up(data_dir: Path, file: Path, url: str | None = None) -> Taken:
    return take(Place(data_dir, url), file, quiet)


def restored(
    file: Path,
    data_dir: Path,
    force: bool = False,
    url: str | None = None,
    artifacts: str | None = None,
) -> Restored:
    return restore(file, Place(data_dir, url, artifacts), force, quiet)


def remember(folder: Path, *questions: str, url: str | None = None) -> None:
    """Add a record for each question."""
    memory = LongTermMemory.open(folder, HashingEmbedder(64), database_url=url)
    for question in questions:
        message = Message(role="user", content=question)
        memory.save(
            Draft(tenant="ann", messages=(message,), answer="4", rationale="4", tier=Tier.FEEDBACK)
        )
    memory.close()


def questions_in(folder: Path, url: str | None = None) -> list[str]:
    """What the memory in a folder knows; it is sound, too."""
    memory = LongTermMemory.open(folder, HashingEmbedder(64), database_url=url)
    try:
        assert memory.verify("ann").ok
        return sorted(str(record.messages[0].content) for record in memory.walk("ann"))
    finally:
        memory.close()


def register(folder: Path, value: float, url: str | None = None) -> str:
    """Register an adapter and return its id."""
    trained = folder.with_name("trained")
    trained.mkdir(exist_ok=True)
    save_file({"a.lora_A.weight": np.full((2, 4), value, np.float32)}, trained / WEIGHTS)
    (trained / CONFIG).write_text(json.dumps({"r": 2}))
    memory = LongTermMemory.open(folder, HashingEmbedder(64), database_url=url)
    version = memory.adapters.register(
        trained, NewVersion(tenant="ann", base_model="pebble", rank=2)
    )
    memory.close()
    return version.id


def files_in(folder: Path) -> dict[str, str]:
    """The files of a folder by what they hold, but for the database's journal and the index."""
    return {
        name: hashlib.sha256(_content(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not (name := str(path.relative_to(folder))).startswith(("index/", "whet.db-"))
    }


def _content(path: Path) -> bytes:
    """A database is what it says in SQL: opening it changes a counter in the file."""
    if path.name != "whet.db":
        return path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump()).encode()


def full_folder(folder: Path) -> Path:
    """Fill a folder with an empty memory in it with some of all that a backup holds."""
    remember(folder, "two and two?", "three and one?")
    register(folder, 1.0)
    (folder / "tuned.json").write_bytes(TUNED)
    Secret.of_folder(folder)
    (folder / "evaluations").mkdir()
    (folder / "evaluations" / "pebble-0123abcd.jsonl").write_bytes(b'{"one": 1}\n')
    return folder


def sealed(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """An archive that is whole, whatever it holds."""
    output = io.BytesIO()
    sealing = Sealing(output)
    with (
        gzip.GzipFile("", "wb", 1, sealing, mtime=0) as packed,  # type: ignore[arg-type]
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for entry, data in entries:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    sealing.close()
    return output.getvalue()


def manifest_of(files: Mapping[str, bytes], **fields: Any) -> dict[str, Any]:
    """The manifest that these files should have, with fields in place of others."""
    members = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    ]
    about = {"format": 1, "schema_version": "0008", "whet": "0.1.0", "records": 0}
    lists = {"adapters": [], "left_out": [], "members": members}
    return about | {"created_at": "2026-01-01T00:00:00Z"} | lists | fields


def archive_of(files: Mapping[str, bytes], **fields: Any) -> bytes:
    """An archive of files under a manifest that names them."""
    manifest = json.dumps(manifest_of(files, **fields)).encode()
    entries = [(tarfile.TarInfo("manifest.json"), manifest)]
    return sealed(entries + [(tarfile.TarInfo(name), data) for name, data in files.items()])
