"""`whet restore`: checked, unpacked beside, migrated there, and put in place at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from memory.store.database import open_database
from memory.store.durable import sync_tree
from memory.store.folder_use import sole_use
from memory.store.schema import SCHEMA_VERSION
from server.backup.errors import UnfitArchiveError
from server.backup.manifest import Manifest
from server.backup.placing import check_place, put_in_place
from server.backup.seal import check_seal
from server.backup.telling import in_mb
from server.backup.unpacking import unpack
from server.backup.workplace import told, workplace
from server.console import AdvancePhase, CommandError


@dataclass(frozen=True)
class Restored:
    """A data folder that was restored."""

    manifest: Manifest
    folder: Path
    moved_aside: Path | None
    """Where that lies now which was there."""

    @property
    def migrated_from(self) -> str | None:
        """The schema of the backup, where that was an older one."""
        schema = self.manifest.schema_version
        return None if schema == SCHEMA_VERSION else schema


def restore(file: Path, data_dir: Path, force: bool, advance: AdvancePhase) -> Restored:
    """Make `data_dir` what it was when a backup was taken; raises `CommandError`.

    Nothing is touched before all of the backup was checked. `force` moves aside what is there.
    """
    target = data_dir.resolve()
    with told(target):
        check_place(target, force)
    try:
        with file.open("rb") as stream, sole_use(target):
            check_seal(stream, in_mb(advance, "checking"))
            return _restore(stream, target, advance)
    except UnfitArchiveError as error:
        raise CommandError(f"{file}: {error}") from error
    except OSError as error:
        raise CommandError(
            f"{file} cannot be read: {error.strerror or error}: name a backup"
        ) from error


def _restore(stream: BinaryIO, target: Path, advance: AdvancePhase) -> Restored:
    with workplace(target.with_name(f".{target.name}.restoring")) as work:
        manifest = unpack(stream, work, in_mb(advance, "unpacking"))
        open_database(work).close()  # migrates what is older, and refuses what it cannot use
        with told(work):
            sync_tree(work)
        return Restored(manifest, target, put_in_place(work, target))
