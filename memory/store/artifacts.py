"""Files that replicas share, by the digest of what they hold: in a folder or in object storage.

What is under a digest never changes, so a copy is as good as the original once its digest is
right, and a replica fetches it once. Reading and writing is fsspec's, whatever the URL names.
Whoever fetches compares the digest: nothing here is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from memory.errors import StorageUnavailableError
from memory.store.patience import Patience

PATIENCE_S = 60.0
SLOWEST_BYTES_S = 1_000_000
"""A store that takes longer, for an answer and for what it moves, counts as gone."""
MOST_CALLS = 16
"""Calls under way, those included that no answer came to."""
P = ParamSpec("P")
T = TypeVar("T")


class Artifacts:
    """Groups of named files below one URL, each group under its digest."""

    def __init__(self, url: str) -> None:
        """`url` names a folder (`/mnt/whet`) or an object store (`s3://bucket/whet`).

        Raises `ValueError` for one that cannot be used here; nothing is connected to yet.
        """
        if urlsplit(url).password is not None:
            raise ValueError("artifacts: leave the password out of the URL, the environment has it")
        import fsspec  # for whoever shares something: no command starts later for it

        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ValueError(f"artifacts: {url} cannot be used: {error}") from error
        self._has_folders = isinstance(self._files, fsspec.get_filesystem_class("file"))
        """Elsewhere what looks like one may be a bucket."""
        self._url = url
        self._patience = Patience(f"artifacts at {url}", MOST_CALLS)

    def put(self, digest: str, folder: Path, names: Sequence[str]) -> None:
        """Keep the folder's files under their digest; those that are there whole stay.

        Raises `StorageUnavailableError`.
        """
        for name in names:
            self.put_file(digest, name, folder / name)

    def put_file(self, digest: str, name: str, file: Path) -> None:
        """Keep one file under a digest and a name, likewise."""
        try:
            size = file.stat().st_size
        except OSError as error:
            raise StorageUnavailableError(f"{file} cannot be read: {error}") from error
        self._within(size, self._put, self._place(digest, name), file, size)

    def _put(self, target: str, file: Path, size: int) -> None:
        if self._has_folders:
            self._files.makedirs(self._root, exist_ok=True)
        if not self._files.exists(target) or self._files.size(target) != size:
            self._files.put_file(str(file), target)

    def fetch(self, digest: str, folder: Path, names: Sequence[str], limit_bytes: int) -> bool:
        """Copy the files to a folder; whether they are there, and none is larger than the limit.

        Raises `StorageUnavailableError`.
        """
        return all(self.fetch_file(digest, name, folder / name, limit_bytes) for name in names)

    def fetch_file(self, digest: str, name: str, target: Path, limit_bytes: int) -> bool:
        """Copy one file, likewise."""
        source = self._place(digest, name)
        size = self._within(0, self._size, source)
        if size is None or size > limit_bytes:
            return False
        self._within(size, self._files.get_file, source, str(target))
        return True

    def _size(self, source: str) -> int | None:
        """Return a file's bytes, None where there is none."""
        return int(self._files.size(source)) if self._files.exists(source) else None

    def delete(self, digest: str, names: Sequence[str]) -> None:
        """Remove what is under a digest, where there is something.

        Raises `StorageUnavailableError`.
        """
        for name in names:
            self._within(0, self._remove, self._place(digest, name))

    def _remove(self, target: str) -> None:
        if self._files.exists(target):
            self._files.rm_file(target)

    def _place(self, digest: str, name: str) -> str:
        return f"{self._root}/{digest}.{name}"

    def _within(
        self, size_bytes: int, work: Callable[P, T], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Return what `work` returns, which moves so many bytes."""
        seconds = PATIENCE_S + size_bytes / SLOWEST_BYTES_S
        try:
            return self._patience.within(seconds, work, *arguments, **named)
        except StorageUnavailableError:
            raise
        except Exception as error:  # each of fsspec's file systems has errors of its own
            raise StorageUnavailableError(
                f"artifacts at {self._url} cannot be used: {error}"
            ) from error
