"""Where the files of adapter versions lie: a folder, and what replicas share.

Knows nothing of tenants, names or lineage: a version is an id, and the digest of its files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from memory.errors import StorageUnavailableError
from memory.store.artifacts import Artifacts
from memory.versions.adapter_files import (
    FILES,
    MAX_WEIGHTS_BYTES,
    copy_files,
    hash_files,
    remove_files,
    remove_strays,
)


class AdapterShelf:
    """The files of all versions; whatever cannot be done raises `StorageUnavailableError`."""

    def __init__(self, folder: Path, artifacts: Artifacts | None) -> None:
        self._folder = folder
        self._artifacts = artifacts

    def path(self, adapter_id: str) -> Path:
        """Return where a version's files lie here, or would."""
        return self._folder / adapter_id

    @property
    def is_shared(self) -> bool:
        """Whether replicas share files."""
        return self._artifacts is not None

    def keep(self, source: Path, adapter_id: str, content: str) -> None:
        """Copy a version's files here."""
        target = self.path(adapter_id)
        try:
            if not _hold(target, content):
                copy_files(source, target)
        except OSError as error:
            raise StorageUnavailableError(f"{target} cannot be written: {error}") from error

    def put(self, adapter_id: str, content: str) -> None:
        """Copy a version's files from here to where replicas share them."""
        if self._artifacts is not None:
            self._artifacts.put(content, self.path(adapter_id), FILES)

    def holds(self, adapter_id: str, content: str) -> bool:
        """Whether a version's files are here and whole; those that are shared are fetched."""
        return _hold(self.path(adapter_id), content) or self._fetched(adapter_id, content)

    def share(self, adapter_id: str, content: str) -> None:
        """Put a version's files where replicas share them, if they are here and whole."""
        if self._artifacts is not None and _hold(self.path(adapter_id), content):
            self.put(adapter_id, content)

    def drop(self, adapter_ids: Iterable[str]) -> None:
        """Delete versions' files here."""
        for adapter_id in adapter_ids:
            remove_files(self.path(adapter_id))

    def unshare(self, content: str) -> None:
        """Delete what is shared under a digest."""
        if self._artifacts is not None:
            self._artifacts.delete(content, FILES)

    def drop_strays(self, known: Collection[str]) -> None:
        """Delete what lies here and belongs to no version that is known."""
        remove_strays(self._folder, known)

    def _fetched(self, adapter_id: str, content: str) -> bool:
        if self._artifacts is None:
            return False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=self._folder, prefix=".fetched.") as work:
                found = Path(work)
                if not self._artifacts.fetch(content, found, FILES, MAX_WEIGHTS_BYTES):
                    return False
                if is_whole := _hold(found, content):
                    copy_files(found, self.path(adapter_id))
                return is_whole
        except OSError as error:
            raise StorageUnavailableError(f"{self._folder} cannot be written: {error}") from error


def _hold(folder: Path, content: str) -> bool:
    try:
        return hash_files(folder) == content
    except OSError:
        return False
