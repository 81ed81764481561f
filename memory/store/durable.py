"""Files and names that outlast a power cut.

Knows nothing of what they hold.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

Buffer: TypeAlias = bytes | memoryview


def write_durably(path: Path, *parts: Buffer) -> None:
    """Write a file so that a kill or a power cut leaves the old content or the new."""
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with beside.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make all that a folder holds durable, its names included."""
    for path in [*folder.rglob("*"), folder]:
        sync_folder(path)  # a file is synced as a folder is
