"""Files that replicas share, by the digest of what they hold: in a folder or in object storage.

What is under a digest never changes, so a copy is as good as the original once its digest is
right, and a replica fetches it once. Reading and writing is fsspec's, whatever the URL names.
Whoever fetches compares the digest: nothing here is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from memory.errors import StorageUnavailableError


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

    def put(self, digest: str, folder: Path, names: Sequence[str]) -> None:
        """Keep the folder's files under their digest; those that are there whole stay.

        Raises `StorageUnavailableError`.
        """
        for name in names:
            self.put_file(digest, name, folder / name)

    def put_file(self, digest: str, name: str, file: Path) -> None:
        """Keep one file under a digest and a name, likewise."""
        with self._translated():
            if self._has_folders:
                self._files.makedirs(self._root, exist_ok=True)
            target, size = self._place(digest, name), file.stat().st_size
            if not self._files.exists(target) or self._files.size(target) != size:
                self._files.put_file(str(file), target)

    def fetch(self, digest: str, folder: Path, names: Sequence[str], limit_bytes: int) -> bool:
        """Copy the files to a folder; whether they are there, and none is larger than the limit.

        Raises `StorageUnavailableError`.
        """
        return all(self.fetch_file(digest, name, folder / name, limit_bytes) for name in names)

    def fetch_file(self, digest: str, name: str, target: Path, limit_bytes: int) -> bool:
        """Copy one file, likewise."""
        with self._translated():
            source = self._place(digest, name)
            if not self._files.exists(source) or self._files.size(source) > limit_bytes:
                return False
            self._files.get_file(source, str(target))
            return True

    def delete(self, digest: str, names: Sequence[str]) -> None:
        """Remove what is under a digest, where there is something.

        Raises `StorageUnavailableError`.
        """
        with self._translated():
            for name in names:
                if self._files.exists(self._place(digest, name)):
                    self._files.rm_file(self._place(digest, name))

    def _place(self, digest: str, name: str) -> str:
        return f"{self._root}/{digest}.{name}"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each of fsspec's file systems has errors of its own
            raise StorageUnavailableError(
                f"artifacts at {self._url} cannot be used: {error}"
            ) from error
