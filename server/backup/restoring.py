"""`whet restore`: checked, unpacked beside, migrated there, and put in place at once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from memory.store.artifacts import Artifacts
from memory.store.database import open_database
from memory.store.durable import sync_folder, sync_tree
from memory.store.folder_use import sole_use
from memory.store.postgres import PostgresDatabase
from memory.store.schema import SCHEMA_VERSION
from memory.versions.adapters import AdapterRegistry
from server.backup.errors import UnfitArchiveError
from server.backup.manifest import ADAPTERS, DATABASE, Manifest
from server.backup.place import Place
from server.backup.placing import check_place, put_in_place
from server.backup.seal import check_seal
from server.backup.telling import in_mb
from server.backup.unpacking import unpack
from server.backup.workplace import told, workplace
from server.terminal import AdvancePhase, CommandError

BEFORE = "whet.db.before-restore"
"""What PostgreSQL held before, as SQLite has it; as `whet.db` it can be opened."""


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


def restore(file: Path, place: Place, force: bool, advance: AdvancePhase) -> Restored:
    """Make a place what it was when a backup was taken; raises `CommandError`.

    Nothing is touched before all of the backup was checked. `force` moves aside what is there.
    """
    target = place.data_dir.resolve()
    with told(target):
        check_place(target, force)
    try:
        with file.open("rb") as stream, sole_use(target):
            check_seal(stream, in_mb(advance, "checking"))
            return _restore(stream, replace(place, data_dir=target), force, advance)
    except UnfitArchiveError as error:
        raise CommandError(f"{file}: {error}") from error
    except OSError as error:
        raise CommandError(
            f"{file} cannot be read: {error.strerror or error}: name a backup"
        ) from error


def _restore(stream: BinaryIO, place: Place, force: bool, advance: AdvancePhase) -> Restored:
    target = place.data_dir
    with workplace(target.with_name(f".{target.name}.restoring")) as work:
        manifest = unpack(stream, work, in_mb(advance, "unpacking"))
        # Migrates what is older, and refuses what it cannot use.
        with closing(open_database(work)) as database:
            shared = None if place.artifacts is None else Artifacts(place.artifacts)
            AdapterRegistry(database, work / ADAPTERS, shared).share()
        with told(work):
            sync_tree(work)
        if place.url is None:
            return Restored(manifest, target, put_in_place(work, target))
        with told(target), closing(PostgresDatabase.open(place.url, work)) as elsewhere:
            _keep_old(elsewhere, target, force)
            loading = partial(advance, "loading, rows")
            with elsewhere.replaced_by(work / DATABASE, loading):
                (work / DATABASE).unlink()
                # Committed after this: a row never names a file that is not there.
                return Restored(manifest, target, put_in_place(work, target))


def _keep_old(database: PostgresDatabase, target: Path, force: bool) -> None:
    """Put what a database holds into the folder that is moved aside."""
    if not database.holds_anything():
        return
    if not force:
        raise CommandError(
            f"{database.name} is not empty: --force replaces what it holds, which is kept as a "
            "file, and --database-url names another"
        )
    target.mkdir(parents=True, exist_ok=True)
    with workplace(target / f".{BEFORE}.part") as work:
        database.copy_to(work / BEFORE)
        (work / BEFORE).replace(target / BEFORE)
    sync_folder(target)
