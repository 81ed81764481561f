"""The registry of adapter versions: immutable files, and three names that move.

Owns lineage and the aliases candidate, champion and previous; each change of alias is one
transaction, so a kill leaves the old champion or the new one. Knows nothing of how an adapter is
trained, judged or loaded.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, delete, select, update

from memory.adapter_files import check_files, hash_files, identify
from memory.adapter_shelf import AdapterShelf
from memory.errors import ConflictError, NotFoundError
from memory.retirement import (
    learned_from,
    promoted_before,
    refuse_erased,
    registered,
    retire_row,
    retirement_of,
)
from memory.rows import moment, plain
from memory.store.artifacts import Artifacts
from memory.store.database import Database
from memory.store.schema import adapter, alias, lineage, retirement
from memory.store.scope import EVERYONE
from memory.store.upsert import upsert
from memory.types import AdapterVersion

AliasName: TypeAlias = Literal["candidate", "champion", "previous"]
Versions: TypeAlias = list[AdapterVersion]  # inside the class, `list` is a method


class AdapterRegistry:
    """Adapter versions of all tenants below one folder."""

    def __init__(
        self, database: Database, adapters_dir: Path, artifacts: Artifacts | None = None
    ) -> None:
        """`artifacts` are where replicas share the files that lie in each one's folder."""
        self._database = database
        self._shelf = AdapterShelf(adapters_dir, artifacts)

    def register(
        self,
        folder: Path,
        *,
        tenant: str,
        base_model: str,
        parent: str | None,
        rank: int,
        metrics: Mapping[str, Any],
        record_ids: Collection[str],
        name: str | None = None,
    ) -> AdapterVersion:
        """Copy an adapter into the registry and make it the tenant's candidate.

        With a `name` it is a fine-tuned model (`memory.model_names`), and nobody's candidate. The
        id is a hash of tenant, base model, name and files: registering the same again returns the
        version there is. Raises `InvalidAdapterError` for a folder that holds no LoRA of this
        rank, `NotFoundError` for a parent the tenant does not have and `ConflictError` where a
        record was erased meanwhile.
        """
        check_files(folder, rank)
        content = hash_files(folder)
        adapter_id = identify(tenant, base_model, content, name)
        self._shelf.keep(folder, adapter_id, content)
        row = {
            "id": adapter_id,
            "tenant": tenant,
            "base_model": base_model,
            "parent": parent,
            "rank": rank,
            "content_hash": content,
            "metrics": plain(metrics),
            "created_at": time.time(),
        }
        try:
            return self._registered(row, record_ids, name or "candidate")
        except ConflictError:
            self._shelf.drop([adapter_id], self._unused([content]))
            raise

    def _registered(
        self, row: dict[str, Any], record_ids: Collection[str], name: str
    ) -> AdapterVersion:
        tenant, adapter_id, parent = row["tenant"], row["id"], row["parent"]
        with self._database.writing(tenant) as connection:
            if parent is not None:
                _row(connection, tenant, parent)
            if adapter_id not in registered(connection):
                refuse_erased(connection, tenant, record_ids)
            self._insert(connection, row, record_ids, name)
            return self._version(connection, _row(connection, tenant, adapter_id))

    def list(self, tenant: str) -> Versions:
        """Return the tenant's versions, newest first."""
        query = select(adapter).where(adapter.c.tenant == tenant)
        with self._database.reading(tenant) as connection:
            rows = connection.execute(query.order_by(adapter.c.created_at.desc())).mappings()
            return [self._version(connection, row) for row in rows.all()]

    def show(self, tenant: str, adapter_id: str) -> AdapterVersion:
        """Return one version; `NotFoundError` for a foreign or unknown id."""
        with self._database.reading(tenant) as connection:
            return self._version(connection, _row(connection, tenant, adapter_id))

    def alias(self, tenant: str, name: str) -> AdapterVersion | None:
        """Return the version an alias (`AliasName`) points to, None when it points nowhere."""
        with self._database.reading(tenant) as connection:
            adapter_id = _aliases(connection, tenant).get(name)
            if adapter_id is None:
                return None
            return self._version(connection, _row(connection, tenant, adapter_id))

    def named(self, tenant: str, prefix: str) -> dict[str, AdapterVersion]:
        """Return the versions that the aliases beginning with `prefix` point to, by alias."""
        with self._database.reading(tenant) as connection:
            found = sorted(_aliases(connection, tenant).items())
            return {
                name: self._version(connection, _row(connection, tenant, adapter_id))
                for name, adapter_id in found
                if name.startswith(prefix)
            }

    def champions(self) -> dict[str, str]:
        """Return the id of every tenant's champion."""
        named = select(alias.c.tenant, alias.c.adapter_id).where(alias.c.name == "champion")
        with self._database.reading(EVERYONE) as connection:
            return {row.tenant: row.adapter_id for row in connection.execute(named)}

    def candidates(self) -> dict[str, AdapterVersion]:
        """Return every tenant's candidate, but for those that no gate let through."""
        named = select(adapter).join(alias, alias.c.adapter_id == adapter.c.id)
        with self._database.reading(EVERYONE) as connection:
            rows = connection.execute(named.where(alias.c.name == "candidate")).mappings().all()
            found = [self._version(connection, row) for row in rows]
        fit = (each for each in found if each.rejected is None and each.retired is None)
        return {each.tenant: each for each in fit if each.metrics.get("decision") != "rejected"}

    def offer(self, tenant: str, adapter_id: str) -> AdapterVersion:
        """Make a version the candidate, to be tried; `ConflictError` where it cannot be served."""
        with self._database.writing(tenant) as connection:
            version = self._version(connection, _row(connection, tenant, adapter_id))
            _refuse_retired(version)
            if version.rejected is not None:
                raise ConflictError(f"{adapter_id} was rejected: {version.rejected}")
            if _aliases(connection, tenant).get("champion") == adapter_id:
                raise ConflictError(f"{adapter_id} is the champion: there is nothing to try")
            _point(connection, tenant, "candidate", adapter_id)
        return version

    def promote(self, tenant: str, adapter_id: str) -> AdapterVersion:
        """Make a version the champion and the old champion `previous`.

        Promoting the champion again changes nothing. Raises `ConflictError` for a version that
        was rejected or whose files are damaged.
        """
        version = self.show(tenant, adapter_id)
        _refuse_retired(version)
        if not self.files_ok(version):
            raise ConflictError(f"the files of {adapter_id} are missing or damaged: train it again")
        with self._database.writing(tenant) as connection:
            version = self._version(connection, _row(connection, tenant, adapter_id))
            _refuse_retired(version)
            if version.rejected is not None:
                raise ConflictError(f"{adapter_id} was rejected: {version.rejected}")
            aliases = _aliases(connection, tenant)
            champion = aliases.get("champion")
            if champion not in (None, adapter_id):
                _point(connection, tenant, "previous", champion)
            _point(connection, tenant, "champion", adapter_id)
            if aliases.get("candidate") == adapter_id:
                _point(connection, tenant, "candidate", None)
        return version

    def rollback(self, tenant: str) -> AdapterVersion:
        """Make the previous champion the champion again; `ConflictError` when there is none."""
        with self._database.writing(tenant) as connection:
            previous = _aliases(connection, tenant).get("previous")
            if previous is None:
                raise ConflictError("there is no previous adapter to roll back to")
            _point(connection, tenant, "champion", previous)
            _point(connection, tenant, "previous", None)
            return self._version(connection, _row(connection, tenant, previous))

    def reset(self, tenant: str) -> None:
        """Serve the base model again; the champion becomes `previous`, so `rollback` undoes it."""
        with self._database.writing(tenant) as connection:
            champion = _aliases(connection, tenant).get("champion")
            if champion is not None:
                _point(connection, tenant, "previous", champion)
                _point(connection, tenant, "champion", None)

    def record_reject(self, tenant: str, adapter_id: str, reason: str) -> AdapterVersion:
        """Note why the gate refused a version, which then cannot be promoted.

        Raises `ConflictError` for the champion: roll back first.
        """
        with self._database.writing(tenant) as connection:
            row = _row(connection, tenant, adapter_id)
            aliases = _aliases(connection, tenant)
            if aliases.get("champion") == adapter_id:
                raise ConflictError(f"{adapter_id} is the champion: roll back first")
            connection.execute(
                update(adapter).where(adapter.c.id == row["id"]).values(rejected=reason)
            )
            for name in ("candidate", "previous"):
                if aliases.get(name) == adapter_id:
                    _point(connection, tenant, name, None)
            return self._version(connection, _row(connection, tenant, adapter_id))

    def revoked_by(self, record_id: str) -> Versions:
        """Return the versions that learned from a record, whose withdrawal puts them in doubt.

        Those that were trained on from one of them have learned from it as well.
        """
        with self._database.reading(EVERYONE) as connection:
            found = learned_from(connection, record_id)
            query = select(adapter).where(adapter.c.id.in_(found)).order_by(adapter.c.created_at)
            rows = connection.execute(query).mappings().all()
            return [self._version(connection, row) for row in rows]

    def retire(self, tenant: str, adapter_ids: Sequence[str], reason: str) -> None:
        """End versions for good: none is served any more, and their weights are deleted.

        Where one is the champion, the newest that was promoted before and learned from nothing
        that is erased takes its place, or the base. Repeating it deletes what was left.
        """
        with self._database.writing(tenant) as connection:
            for adapter_id in adapter_ids:
                _row(connection, tenant, adapter_id)
                retire_row(connection, adapter_id, reason)
            for name, pointed in _aliases(connection, tenant).items():
                if pointed in adapter_ids:
                    _point(connection, tenant, name, None)
                    if name == "champion":
                        self._succeed(connection, tenant, pointed)
        self._drop(tenant, adapter_ids)

    def unname(self, tenant: str, name: str, reason: str) -> None:
        """Take an alias away, and end its version where no other points to it: in one step.

        Raises `NotFoundError`.
        """
        with self._database.writing(tenant) as connection:
            adapter_id = _aliases(connection, tenant).get(name)
            if adapter_id is None:
                raise NotFoundError(f"no model {name}")
            _point(connection, tenant, name, None)
            if adapter_id in _aliases(connection, tenant).values():
                return
            retire_row(connection, adapter_id, reason)
        self._drop(tenant, [adapter_id])

    def _drop(self, tenant: str, adapter_ids: Sequence[str]) -> None:
        """Delete the weights of versions that are retired."""
        of_them = select(adapter.c.content_hash).where(adapter.c.id.in_(adapter_ids))
        with self._database.reading(tenant) as connection:
            contents = list(connection.execute(of_them).scalars())
        self._shelf.drop(adapter_ids, self._unused(contents))

    def replace(self, tenant: str, retired_id: str, adapter_id: str) -> None:
        """Note which version was trained in the place of a retired one."""
        with self._database.writing(tenant) as connection:
            _row(connection, tenant, retired_id)
            here = retirement.c.adapter_id == retired_id
            connection.execute(update(retirement).where(here).values(replaced_by=adapter_id))

    def drop_strays(self) -> None:
        """Delete the weights of versions that never were registered, or are retired."""
        with self._database.reading(EVERYONE) as connection:
            known = registered(connection)
        self._shelf.drop_strays(known)

    def _succeed(self, connection: Connection, tenant: str, retired_id: str) -> None:
        """Serve what may be served in a retired champion's place; the base where nothing may."""
        model = _row(connection, tenant, retired_id)["base_model"]
        for row in promoted_before(connection, tenant, model):
            if self._shelf.holds(row["id"], row["content_hash"]):
                _point(connection, tenant, "champion", row["id"])
                if _aliases(connection, tenant).get("previous") == row["id"]:
                    _point(connection, tenant, "previous", None)
                return

    def files_ok(self, version: AdapterVersion) -> bool:
        """Whether the version's files are there and whole.

        Those that another replica made are fetched; raises `StorageUnavailableError`.
        """
        with self._database.reading(version.tenant) as connection:
            content = _row(connection, version.tenant, version.id)["content_hash"]
        return self._shelf.holds(version.id, content)

    def share(self) -> None:
        """Put the files of all versions that are here where replicas share them.

        Raises `StorageUnavailableError`.
        """
        with self._database.reading(EVERYONE) as connection:
            known = adapter.c.id.in_(registered(connection))
            rows = connection.execute(select(adapter.c.id, adapter.c.content_hash).where(known))
            versions = [(row.id, row.content_hash) for row in rows]
        for adapter_id, content in versions:
            self._shelf.share(adapter_id, content)

    def _unused(self, contents: Sequence[str]) -> Sequence[str]:
        """Return those of the digests that are of no version any more."""
        with self._database.reading(EVERYONE) as connection:
            alive = adapter.c.id.in_(registered(connection))
            used = set(connection.execute(select(adapter.c.content_hash).where(alive)).scalars())
        return [content for content in contents if content not in used]

    def _insert(
        self, connection: Connection, row: dict[str, Any], record_ids: Collection[str], name: str
    ) -> None:
        if connection.execute(select(adapter.c.id).where(adapter.c.id == row["id"])).first():
            return
        connection.execute(adapter.insert().values(**row))
        for record_id in dict.fromkeys(record_ids):
            connection.execute(lineage.insert().values(adapter_id=row["id"], record_id=record_id))
        _point(connection, row["tenant"], name, row["id"])

    def _version(self, connection: Connection, row: Any) -> AdapterVersion:
        query = select(lineage.c.record_id).where(lineage.c.adapter_id == row["id"])
        return AdapterVersion(
            id=row["id"],
            tenant=row["tenant"],
            base_model=row["base_model"],
            path=str(self._shelf.path(row["id"])),  # never stored: a data directory may move
            parent=row["parent"],
            rank=row["rank"],
            created_at=moment(row["created_at"]),
            metrics=row["metrics"],
            record_ids=tuple(connection.execute(query).scalars()),
            rejected=row["rejected"],
            retired=retirement_of(connection, row["id"]),
        )


def _refuse_retired(version: AdapterVersion) -> None:
    if version.retired is not None:
        raise ConflictError(f"{version.id} is retired: {version.retired.reason}")


def _row(connection: Connection, tenant: str, adapter_id: str) -> Any:
    here = (adapter.c.tenant == tenant) & (adapter.c.id == adapter_id)
    row = connection.execute(select(adapter).where(here)).mappings().first()
    if row is None:
        raise NotFoundError(f"no adapter {adapter_id}")
    return row


def _aliases(connection: Connection, tenant: str) -> dict[str, str]:
    rows = connection.execute(select(alias).where(alias.c.tenant == tenant))
    return {row.name: row.adapter_id for row in rows}


def _point(connection: Connection, tenant: str, name: str, adapter_id: str | None) -> None:
    if adapter_id is None:
        here = (alias.c.tenant == tenant) & (alias.c.name == name)
        connection.execute(delete(alias).where(here))
        return
    row = {"tenant": tenant, "name": name, "adapter_id": adapter_id}
    upsert(connection, alias, ("tenant", "name"), row)
