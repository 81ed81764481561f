"""Files for their owner only, made once: of two who try at once, the first one's stays."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from memory.store.data_folder import make_data_folder


def make_private(path: Path, content: bytes) -> None:
    """Write a file with mode 0600, whole or not at all; one that is there stays. Raises OSError."""
    make_data_folder(path.parent)
    part = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            return
    finally:
        part.unlink(missing_ok=True)
