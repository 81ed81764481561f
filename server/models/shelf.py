"""The folder `models` in the data folder: what lies there under its name is whole.

Work is done in a temporary folder beside, which gets its name in one step at the end. What a killed
process left behind is swept away by the next one that makes the same model.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from memory.store.data_folder import make_data_folder
from memory.store.durable import sync_tree
from server.models.catalogue import MB
from server.models.origin import Origin, origin_of
from server.terminal import CommandError, complain

FOLDER = "models"
UNFINISHED = ".part"


@dataclass(frozen=True)
class Made:
    """A model on the shelf."""

    path: Path
    origin: Origin

    @property
    def size_bytes(self) -> int:
        """Return the size of all its files."""
        return sum(file.stat().st_size for file in self.path.iterdir() if file.is_file())


class Shelf:
    """The models of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / FOLDER

    def make_folder(self) -> None:
        """Make the shelf where there is none; raises OSError."""
        if not self.folder.parent.exists():
            make_data_folder(self.folder.parent)
        self.folder.mkdir(exist_ok=True)

    def find(self, name: str) -> Made | None:
        """Return a model that lies here, whole."""
        origin = origin_of(self.folder / name)
        return Made(self.folder / name, origin) if origin else None

    def all(self) -> list[Made]:
        """Return every model that lies here, by name."""
        names = sorted(path.name for path in self.folder.glob("[!.]*/"))
        return [made for name in names if (made := self.find(name))]

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Make `name` in this process only; another that is at it is waited for."""
        lock = self._locked(name)
        try:
            for left in self.folder.glob(f".{name}.*{UNFINISHED}"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            lock.release()

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """Yield an empty folder that becomes `name` when the block has ended well."""
        with _told(self.folder):
            prefix = f".{name.lstrip('.')}."
            work = Path(tempfile.mkdtemp(prefix=prefix, suffix=UNFINISHED, dir=self.folder))
            try:
                yield work
                work.chmod(0o755)
                sync_tree(work)  # a power cut must not take away what a name stands for
                shutil.rmtree(self.folder / name, ignore_errors=True)  # what is not whole
                work.rename(self.folder / name)
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def need(self, size_bytes: int, what: str) -> None:
        """Refuse before the work what would fill the disk; raises `CommandError`."""
        free = shutil.disk_usage(self.folder).free
        if free < size_bytes:
            raise CommandError(
                f"{what} takes {size_bytes // MB} MB in {self.folder}, and {free // MB} MB are "
                "free: make room there, or choose another folder with --data-dir"
            )

    def _locked(self, name: str) -> FileLock:
        with _told(self.folder):
            self.make_folder()
            lock = FileLock(self.folder / f".{name}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                complain(f"another process is making {name}: waiting for it")
                lock.acquire()
        return lock


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say in our words what the file system refuses."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        problem = "the disk is full" if full else f"{error.strerror or error}"
        advice = "make room there, or choose another folder with --data-dir"
        raise CommandError(f"{folder} cannot be written: {problem}: {advice}") from error
