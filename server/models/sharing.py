"""GGUF files that replicas share, by the digest of what they hold.

What is shared is the file a model is converted from: it is smaller than the model, and its digest
is known before it is fetched, from the catalogue or from whoever asks. Nothing else is believed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from memory.file_hash import file_hash
from memory.store.artifacts import Artifacts
from server.terminal import complain

FILE, LICENCE = "gguf", "gguf.licence"
MAX_LICENCE_BYTES = 1 << 20


class SharedModels:
    """Where the files lie; nowhere without artifacts.

    What cannot be reached raises `StorageUnavailableError`.
    """

    def __init__(self, artifacts: str | None = None) -> None:
        """`artifacts` is the URL of what replicas share."""
        self._artifacts = None if artifacts is None else Artifacts(artifacts)

    def fetch(self, digest: str, target: Path) -> bool:
        """Copy the file of this digest to `target`, new; whether it is shared, and whole."""
        if self._artifacts is None:
            return False
        room = shutil.disk_usage(target.parent).free
        if not self._artifacts.fetch_file(digest, FILE, target, room):
            return False
        if file_hash(target) != digest:
            target.unlink()
            complain(f"what is shared as {digest}.{FILE} holds something else: it is not used")
            return False
        return True

    def fetch_licence(self, digest: str, target: Path) -> None:
        """Copy the licence that was shared with a file, where one was."""
        if self._artifacts is not None:
            self._artifacts.fetch_file(digest, LICENCE, target, MAX_LICENCE_BYTES)

    def share(self, digest: str, file: Path, licence: Path | None = None) -> None:
        """Put a file where replicas find it, unless it is there, and its licence beside it."""
        if self._artifacts is not None:
            self._artifacts.put_file(digest, FILE, file)
            if licence is not None:
                self._artifacts.put_file(digest, LICENCE, licence)
