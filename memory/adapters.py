"""The registry of adapter versions: immutable files, and three names that move.

Owns lineage and the aliases candidate, champion and previous; each change of alias is one
transaction, so a kill leaves the old champion or the new one. Knows nothing of how an adapter is
trained, judged or loaded.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, delete, select, update

from memory.adapter_files import FILES, MAX_WEIGHTS_BYTES, check_files, copy_files, hash_files
from memory.errors import ConflictError, NotFoundError, StorageUnavailableError
from memory.rows import moment, plain
from memory.store.artifacts import Artifacts
from memory.store.database import Database
from memory.store.schema import adapter, alias, lineage
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
        self._folder = adapters_dir
        self._artifacts = artifacts

    def register(
        self,
        folder: Path,
        *,
        tenant: str,
        base_model: str,
        parent: str | None,
        rank: int,
        metrics: Mapping[str, Any],
        record_ids: Iterable[str],
    ) -> AdapterVersion:
        """Copy an adapter into the registry and make it the tenant's candidate.

        The id is a hash of tenant, base model and files: registering the same again returns the
        version there is. Raises `InvalidAdapterError` for a folder that holds no LoRA of this
        rank and `NotFoundError` for a parent the tenant does not have.
        """
        check_files(folder, rank)
        content = hash_files(folder)
        adapter_id = _identify(tenant, base_model, content)
        self._copy(folder, adapter_id, content)
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
        with self._database.writing() as connection:
            if parent is not None:
                _row(connection, tenant, parent)
            self._insert(connection, row, record_ids)
            return self._version(connection, _row(connection, tenant, adapter_id))

    def list(self, tenant: str) -> Versions:
        """Return the tenant's versions, newest first."""
        query = select(adapter).where(adapter.c.tenant == tenant)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(adapter.c.created_at.desc())).mappings()
            return [self._version(connection, row) for row in rows.all()]

    def show(self, tenant: str, adapter_id: str) -> AdapterVersion:
        """Return one version; `NotFoundError` for a foreign or unknown id."""
        with self._database.reading() as connection:
            return self._version(connection, _row(connection, tenant, adapter_id))

    def alias(self, tenant: str, name: str) -> AdapterVersion | None:
        """Return the version an alias (`AliasName`) points to, None when it points nowhere."""
        with self._database.reading() as connection:
            adapter_id = _aliases(connection, tenant).get(name)
            if adapter_id is None:
                return None
            return self._version(connection, _row(connection, tenant, adapter_id))

    def champions(self) -> dict[str, str]:
        """Return the id of every tenant's champion."""
        named = select(alias.c.tenant, alias.c.adapter_id).where(alias.c.name == "champion")
        with self._database.reading() as connection:
            return {row.tenant: row.adapter_id for row in connection.execute(named)}

    def promote(self, tenant: str, adapter_id: str) -> AdapterVersion:
        """Make a version the champion and the old champion `previous`.

        Promoting the champion again changes nothing. Raises `ConflictError` for a version that
        was rejected or whose files are damaged.
        """
        version = self.show(tenant, adapter_id)
        if not self.files_ok(version):
            raise ConflictError(f"the files of {adapter_id} are missing or damaged: train it again")
        with self._database.writing() as connection:
            version = self._version(connection, _row(connection, tenant, adapter_id))
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
        with self._database.writing() as connection:
            previous = _aliases(connection, tenant).get("previous")
            if previous is None:
                raise ConflictError("there is no previous adapter to roll back to")
            _point(connection, tenant, "champion", previous)
            _point(connection, tenant, "previous", None)
            return self._version(connection, _row(connection, tenant, previous))

    def reset(self, tenant: str) -> None:
        """Serve the base model again; the champion becomes `previous`, so `rollback` undoes it."""
        with self._database.writing() as connection:
            champion = _aliases(connection, tenant).get("champion")
            if champion is not None:
                _point(connection, tenant, "previous", champion)
                _point(connection, tenant, "champion", None)

    def record_reject(self, tenant: str, adapter_id: str, reason: str) -> AdapterVersion:
        """Note why the gate refused a version, which then cannot be promoted.

        Raises `ConflictError` for the champion: roll back first.
        """
        with self._database.writing() as connection:
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
        """Return the versions that learned from a record, whose withdrawal puts them in doubt."""
        query = select(adapter).join(lineage, lineage.c.adapter_id == adapter.c.id)
        query = query.where(lineage.c.record_id == record_id).order_by(adapter.c.created_at)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
            return [self._version(connection, row) for row in rows]

    def files_ok(self, version: AdapterVersion) -> bool:
        """Whether the version's files are there and hash to its id.

        Those that another replica made are fetched; raises `StorageUnavailableError`.
        """
        return self._are_sound(version, self._folder / version.id) or self._fetched(version)

    def _are_sound(self, version: AdapterVersion, folder: Path) -> bool:
        try:
            content = hash_files(folder)
        except OSError:
            return False
        return _identify(version.tenant, version.base_model, content) == version.id

    def _fetched(self, version: AdapterVersion) -> bool:
        """Whether the artifacts hold the version's files, which now lie in the folder."""
        if self._artifacts is None:
            return False
        with self._database.reading() as connection:
            content = _row(connection, version.tenant, version.id)["content_hash"]
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._folder, prefix=".fetched.") as work:
            found = Path(work)
            if not self._artifacts.fetch(content, found, FILES, MAX_WEIGHTS_BYTES):
                return False
            if not self._are_sound(version, found):
                return False
            copy_files(found, self._folder / version.id)
        return True

    def _copy(self, source: Path, adapter_id: str, content: str) -> None:
        target = self._folder / adapter_id
        try:
            if not (target.is_dir() and hash_files(target) == content):
                copy_files(source, target)
        except OSError as error:
            raise StorageUnavailableError(f"{target} cannot be written: {error}") from error
        if self._artifacts is not None:
            self._artifacts.put(content, target, FILES)

    def _insert(
        self, connection: Connection, row: dict[str, Any], record_ids: Iterable[str]
    ) -> None:
        if connection.execute(select(adapter.c.id).where(adapter.c.id == row["id"])).first():
            return
        connection.execute(adapter.insert().values(**row))
        for record_id in dict.fromkeys(record_ids):
            connection.execute(lineage.insert().values(adapter_id=row["id"], record_id=record_id))
        _point(connection, row["tenant"], "candidate", row["id"])

    def _version(self, connection: Connection, row: Any) -> AdapterVersion:
        query = select(lineage.c.record_id).where(lineage.c.adapter_id == row["id"])
        return AdapterVersion(
            id=row["id"],
            tenant=row["tenant"],
            base_model=row["base_model"],
            path=str(self._folder / row["id"]),  # never stored: a data directory may move
            parent=row["parent"],
            rank=row["rank"],
            created_at=moment(row["created_at"]),
            metrics=row["metrics"],
            record_ids=tuple(connection.execute(query).scalars()),
            rejected=row["rejected"],
        )


def _identify(tenant: str, base_model: str, content: str) -> str:
    named = json.dumps([tenant, base_model, content]).encode()
    return f"ad_{hashlib.sha256(named).hexdigest()[:12]}"


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
