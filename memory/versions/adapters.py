"""The registry of adapter versions: registered, named and released, and ended for good.

What there is, is in `memory.versions.adapter_versions`; how names move, in
`memory.versions.adapter_moves`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field
from sqlalchemy import Connection, select, update

from memory.errors import (
    ConflictError,
    LeftBehindError,
    NotFoundError,
    StorageUnavailableError,
)
from memory.rows import plain
from memory.store.schema import adapter, lineage, retirement
from memory.types import AdapterVersion, Frozen
from memory.versions.adapter_files import check_files, hash_files, identify
from memory.versions.adapter_moves import AdapterMoves, crown, point, propose
from memory.versions.adapter_versions import AliasName as AliasName
from memory.versions.adapter_versions import aliases_in, version_row
from memory.versions.loose import settle
from memory.versions.release import Stage, note_step, stage_of
from memory.versions.retirement import (
    hush_jobs,
    promoted_before,
    refuse_erased,
    registered,
    retire_row,
)
from memory.versions.version_numbers import give_number

log = logging.getLogger(__name__)

PASSED = "it passed the gate"


class NewVersion(Frozen):
    """What makes a version, besides its files."""

    tenant: str
    base_model: str
    parent: str | None = None
    rank: int
    metrics: Mapping[str, Any] = Field(default_factory=dict)
    record_ids: tuple[str, ...] = ()
    """What it learned from."""
    name: str | None = None
    """Name of a fine-tuned model (`memory.versions.model_names`), which is no candidate."""
    stage: Stage | None = None
    """At which its release begins, in the same transaction; a suggested one is no candidate, one
    for all is the champion."""
    rejected: str | None = None
    """Why it is refused, in the same transaction: it never is a candidate."""


class AdapterRegistry(AdapterMoves):
    """Adapter versions of all tenants below one folder."""

    def register(self, folder: Path, new: NewVersion) -> AdapterVersion:
        """Copy an adapter into the registry and make it the tenant's candidate, unless it is
        refused.

        The id is a hash of tenant, base model, name and files: registering the same again returns
        the version there is. Raises `InvalidAdapterError` for a folder that holds no LoRA of this
        rank, `NotFoundError` for a parent the tenant does not have and `ConflictError` where a
        record was erased meanwhile.
        """
        check_files(folder, new.rank)
        content = hash_files(folder)
        adapter_id = identify(new.tenant, new.base_model, content, new.name)
        self._shelf.keep(folder, adapter_id, content)
        upload = self._loose.put(new.tenant, adapter_id, content)
        try:
            return self._registered(new, adapter_id, content, upload)
        except (ConflictError, LeftBehindError):
            self._shelf.drop([adapter_id])
            self._loose.give_up(new.tenant, upload, content)
            raise

    def _registered(
        self, new: NewVersion, adapter_id: str, content: str, upload: str | None
    ) -> AdapterVersion:
        tenant = new.tenant
        with self._database.writing(tenant) as connection:
            if new.parent is not None:
                version_row(connection, tenant, new.parent)
            if adapter_id not in registered(connection):
                refuse_erased(connection, tenant, new.record_ids)
            settle(connection, tenant, upload, adapter_id, content)
            is_new = _insert(connection, new, adapter_id, content)
            if is_new:
                _name(connection, new, adapter_id)
            if new.name is None:
                self._place(connection, new, adapter_id, is_new=is_new)
            return self._version(connection, version_row(connection, tenant, adapter_id))

    def _place(
        self, connection: Connection, new: NewVersion, adapter_id: str, *, is_new: bool
    ) -> None:
        """Begin a version's release, or refuse it; one that was refused before stays so."""
        tenant = new.tenant
        version = self._version(connection, version_row(connection, tenant, adapter_id))
        if version.rejected is not None or version.retired is not None:
            return
        if new.rejected is not None:
            if aliases_in(connection, tenant).get("champion") != adapter_id:
                self._rejected(connection, tenant, adapter_id, new.rejected)
        elif new.stage is Stage.ALL:
            crown(connection, version, PASSED)
        elif is_new or (new.stage is not None and stage_of(connection, adapter_id) is None):
            _begin(connection, tenant, adapter_id, new.stage)

    def retire(self, tenant: str, adapter_ids: Sequence[str], reason: str) -> None:
        """End versions for good: none is served any more, and their weights are deleted.

        Where one is the champion, the newest that was promoted before and learned from nothing
        that is erased takes its place, or the base. Repeating it deletes what was left.
        """
        heir = self._heir(tenant, adapter_ids)
        with self._database.writing(tenant) as connection:
            for adapter_id in adapter_ids:
                version_row(connection, tenant, adapter_id)
                retire_row(connection, adapter_id, reason)
            hush_jobs(connection, tenant, adapter_ids)
            for name, pointed in aliases_in(connection, tenant).items():
                if pointed in adapter_ids:
                    point(connection, tenant, name, None)
                    if name == "champion":
                        _succeed(connection, tenant, pointed, heir)
        self._drop(tenant, adapter_ids)

    def unname(self, tenant: str, name: str, reason: str) -> None:
        """Take an alias away, and end its version where no other points to it: in one step.

        Raises `NotFoundError`.
        """
        with self._database.writing(tenant) as connection:
            adapter_id = aliases_in(connection, tenant).get(name)
            if adapter_id is None:
                raise NotFoundError(f"no model {name}")
            point(connection, tenant, name, None)
            if adapter_id in aliases_in(connection, tenant).values():
                return
            retire_row(connection, adapter_id, reason)
        self._drop(tenant, [adapter_id])

    def replace(self, tenant: str, retired_id: str, adapter_id: str) -> None:
        """Note which version was trained in the place of a retired one."""
        with self._database.writing(tenant) as connection:
            version_row(connection, tenant, retired_id)
            here = retirement.c.adapter_id == retired_id
            connection.execute(update(retirement).where(here).values(replaced_by=adapter_id))

    def _heir(self, tenant: str, retired: Sequence[str]) -> str | None:
        """Return what may be served in a champion's place and is there, None for the base.

        Looked for outside of a transaction: files may have to be fetched.
        """
        with self._database.reading(tenant) as connection:
            champion = aliases_in(connection, tenant).get("champion")
            if champion is None or champion not in retired:
                return None
            model = version_row(connection, tenant, champion)["base_model"]
            rows = promoted_before(connection, tenant, model)
        for row in rows:
            if not {row["id"], row["parent"]} & set(retired) and self._is_there(row):
                return str(row["id"])
        return None

    def _is_there(self, row: Any) -> bool:
        try:
            return self._shelf.holds(row["id"], row["content_hash"])
        except StorageUnavailableError as error:  # no reason to serve on what is retired
            log.warning("%s is passed over: %s", row["id"], error)
            return False


def _succeed(connection: Connection, tenant: str, retired_id: str, heir: str | None) -> None:
    """Serve the heir in a retired champion's place, if it still may be; else the base."""
    model = version_row(connection, tenant, retired_id)["base_model"]
    fit = {row["id"] for row in promoted_before(connection, tenant, model)}
    if heir is None or heir not in fit:
        return
    point(connection, tenant, "champion", heir)
    note_step(connection, tenant, heir, Stage.KEPT, f"{retired_id} was retired")
    if aliases_in(connection, tenant).get("previous") == heir:
        point(connection, tenant, "previous", None)


def _insert(connection: Connection, new: NewVersion, adapter_id: str, content: str) -> bool:
    """Write a version's row and lineage; return whether it is new."""
    if connection.execute(select(adapter.c.id).where(adapter.c.id == adapter_id)).first():
        return False
    row = {
        **new.model_dump(include={"tenant", "base_model", "parent", "rank"}),
        "id": adapter_id,
        "content_hash": content,
        "metrics": plain(new.metrics),
        "created_at": time.time(),
    }
    connection.execute(adapter.insert().values(**row))
    for record_id in dict.fromkeys(new.record_ids):
        connection.execute(lineage.insert().values(adapter_id=adapter_id, record_id=record_id))
    return True


def _name(connection: Connection, new: NewVersion, adapter_id: str) -> None:
    if new.name is not None:
        point(connection, new.tenant, new.name, adapter_id)
    else:
        give_number(connection, new.tenant, new.base_model, adapter_id)


def _begin(connection: Connection, tenant: str, adapter_id: str, stage: Stage | None) -> None:
    if stage is Stage.SUGGESTED:
        note_step(connection, tenant, adapter_id, stage, PASSED)
    else:
        propose(connection, tenant, adapter_id, stage, PASSED)
