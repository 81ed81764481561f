"""The adapter versions there are: immutable files, what is known of them, where they lie.

Knows nothing of how the names that point to them move (`memory.versions.adapters`), nor of how an
adapter is trained, judged or loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, select

from memory.errors import NotFoundError
from memory.rows import moment
from memory.store.artifacts import Artifacts
from memory.store.database import Database
from memory.store.schema import adapter, alias, lineage
from memory.store.scope import EVERYONE
from memory.types import AdapterVersion
from memory.versions.adapter_shelf import AdapterShelf
from memory.versions.loose import LooseArtifacts
from memory.versions.retirement import learned_from, registered, retirement_of
from memory.versions.version_numbers import number_of, numbered

AliasName: TypeAlias = Literal["candidate", "champion", "previous"]
Versions: TypeAlias = list[AdapterVersion]  # inside the class, `list` is a method


class AdapterVersions:
    """Adapter versions of all tenants below one folder."""

    def __init__(
        self, database: Database, adapters_dir: Path, artifacts: Artifacts | None = None
    ) -> None:
        """`artifacts` are where replicas share the files that lie in each one's folder."""
        self._database = database
        self._shelf = AdapterShelf(adapters_dir, artifacts)
        self._loose = LooseArtifacts(database, self._shelf)

    def list(self, tenant: str) -> Versions:
        """Return the tenant's versions, newest first."""
        query = select(adapter).where(adapter.c.tenant == tenant)
        with self._database.reading(tenant) as connection:
            rows = connection.execute(query.order_by(adapter.c.created_at.desc())).mappings()
            return [self._version(connection, row) for row in rows.all()]

    def show(self, tenant: str, adapter_id: str) -> AdapterVersion:
        """Return one version; `NotFoundError` for a foreign or unknown id."""
        with self._database.reading(tenant) as connection:
            return self._version(connection, version_row(connection, tenant, adapter_id))

    def alias(self, tenant: str, name: str) -> AdapterVersion | None:
        """Return the version an alias (`AliasName`) points to, None when it points nowhere."""
        with self._database.reading(tenant) as connection:
            adapter_id = aliases_in(connection, tenant).get(name)
            if adapter_id is None:
                return None
            return self._version(connection, version_row(connection, tenant, adapter_id))

    def named(self, tenant: str, prefix: str) -> dict[str, AdapterVersion]:
        """Return the versions that the aliases beginning with `prefix` point to, by alias."""
        with self._database.reading(tenant) as connection:
            found = sorted(aliases_in(connection, tenant).items())
            return {
                name: self._version(connection, version_row(connection, tenant, adapter_id))
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

    def files_ok(self, version: AdapterVersion) -> bool:
        """Whether the version's files are there and whole.

        Those that another replica made are fetched; raises `StorageUnavailableError`.
        """
        return self._shelf.holds(version.id, self.digest(version))

    def digest(self, version: AdapterVersion) -> str:
        """Return what its files hash to."""
        with self._database.reading(version.tenant) as connection:
            return str(version_row(connection, version.tenant, version.id)["content_hash"])

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

    def drop_strays(self) -> None:
        """Delete the weights of versions that never were registered, or are retired."""
        with self._database.reading(EVERYONE) as connection:
            known = registered(connection)
        self._shelf.drop_strays(known)

    def drop_loose(self) -> None:
        """Delete likewise from what replicas share; raises `StorageUnavailableError`."""
        self._loose.sweep()

    def revoked_by(self, record_id: str) -> Versions:
        """Return the versions that learned from a record, whose withdrawal puts them in doubt.

        Those that were trained on from one of them have learned from it as well.
        """
        with self._database.reading(EVERYONE) as connection:
            found = learned_from(connection, record_id)
            query = select(adapter).where(adapter.c.id.in_(found)).order_by(adapter.c.created_at)
            rows = connection.execute(query).mappings().all()
            return [self._version(connection, row) for row in rows]

    def numbered(self, tenant: str, base_model: str, number: int) -> AdapterVersion | None:
        """Return a tenant's generation on a base by its number, None where there is none."""
        with self._database.reading(tenant) as connection:
            adapter_id = numbered(connection, tenant, base_model, number)
            if adapter_id is None:
                return None
            return self._version(connection, version_row(connection, tenant, adapter_id))

    def _drop(self, tenant: str, adapter_ids: Sequence[str]) -> None:
        """Delete the weights of versions that are retired."""
        of_them = select(adapter.c.content_hash).where(adapter.c.id.in_(adapter_ids))
        with self._database.reading(tenant) as connection:
            contents = list(connection.execute(of_them).scalars())
        self._shelf.drop(adapter_ids)
        self._loose.drop(contents)

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
            number=number_of(connection, row["id"]),
        )


def version_row(connection: Connection, tenant: str, adapter_id: str) -> Any:
    """Return the row of a tenant's version; raises `NotFoundError`."""
    here = (adapter.c.tenant == tenant) & (adapter.c.id == adapter_id)
    row = connection.execute(select(adapter).where(here)).mappings().first()
    if row is None:
        raise NotFoundError(f"no adapter {adapter_id}")
    return row


def aliases_in(connection: Connection, tenant: str) -> dict[str, str]:
    """Return the version behind each of a tenant's names."""
    rows = connection.execute(select(alias).where(alias.c.tenant == tenant))
    return {row.name: row.adapter_id for row in rows}
