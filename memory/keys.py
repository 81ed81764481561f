"""API keys: whose each is, what it may do, and how long.

Owns the table; it holds digests, never keys. Knows neither how a key is made nor how it is hashed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from memory.errors import ConflictError, NotFoundError
from memory.store.database import Database
from memory.store.schema import api_key
from memory.store.scope import EVERYONE
from memory.types import Frozen

Keys: TypeAlias = "list[ApiKey]"  # inside the class, `list` is a method


class ApiKey(Frozen):
    """A key as it is remembered; times are Unix seconds."""

    id: str
    tenant: str
    role: str
    name: str
    """What its owner calls it; may be empty."""
    hint: str
    """The key's last characters, to tell it from others."""
    digest: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    replaced_by: str | None = None
    """The key that was made in its place."""

    def is_valid(self, now: float) -> bool:
        """Whether the key opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class NewKey(Frozen):
    """What makes a key, besides the key itself."""

    tenant: str
    role: str
    name: str = ""
    hint: str
    digest: str
    expires_at: float | None = None


class KeyStore:
    """The keys of all tenants.

    `tenant` bounds what is found: to others than the named one's, a key does not exist. None stands
    for whoever looks after all of them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewKey) -> ApiKey:
        """Remember a key."""
        with self._database.writing(EVERYONE) as connection:
            return _insert(connection, new)

    def list(self, tenant: str | None = None) -> Keys:
        """Return the keys, newest first; those that no longer open anything too."""
        found = select(api_key).order_by(api_key.c.created_at.desc(), api_key.c.id)
        if tenant is not None:
            found = found.where(api_key.c.tenant == tenant)
        with self._database.reading(EVERYONE) as connection:
            return [_key(row) for row in connection.execute(found)]

    def get(self, key_id: str, tenant: str | None = None) -> ApiKey:
        """Return one key; raises `NotFoundError`."""
        with self._database.reading(EVERYONE) as connection:
            return _found(connection, key_id, tenant)

    def revoke(self, key_id: str, tenant: str | None = None) -> ApiKey:
        """Let a key open nothing any more; one that was revoked stays so.

        Raises `NotFoundError`.
        """
        with self._database.writing(EVERYONE) as connection:
            key = _found(connection, key_id, tenant)
            if key.revoked_at is None:
                _change(connection, key_id, revoked_at=time.time())
            return _found(connection, key_id, tenant)

    def rotate(
        self, key_id: str, digest: str, hint: str, grace_s: float, tenant: str | None = None
    ) -> ApiKey:
        """Return a key in the place of another, which ends `grace_s` from now.

        It ends when the other would have ended. Raises `NotFoundError`, and `ConflictError` for a
        key that has ended already, or has another in its place.
        """
        now = time.time()
        with self._database.writing(EVERYONE) as connection:
            old = _found(connection, key_id, tenant, alone=True)
            if old.replaced_by is not None:
                words = f"key {key_id} was replaced by {old.replaced_by}"
                raise ConflictError(f"{words}: rotate that one, or create a new one")
            if not old.is_valid(now):
                raise ConflictError(f"key {key_id} has ended: create a new one")
            kept = old.model_dump(include={"tenant", "role", "name", "expires_at"})
            made = _insert(connection, NewKey(**kept, digest=digest, hint=hint))
            ends = min(now + grace_s, old.expires_at or float("inf"))
            _change(connection, key_id, expires_at=ends, replaced_by=made.id)
            return made

    def note_use(self, used: Mapping[str, float]) -> None:
        """Note when keys were used last, by their ids."""
        with self._database.writing(EVERYONE) as connection:
            for key_id, at in used.items():
                here, seen = api_key.c.id == key_id, api_key.c.last_used_at
                newer = and_(here, or_(seen.is_(None), seen < at))
                connection.execute(update(api_key).where(newer).values(last_used_at=at))

    def revision(self) -> int:
        """Return a number that is another one after every change of a key."""
        with self._database.reading(EVERYONE) as connection:
            return _revision(connection)


def _insert(connection: Connection, new: NewKey) -> ApiKey:
    key = ApiKey(id=f"key_{uuid4().hex[:12]}", created_at=time.time(), **new.model_dump())
    values = key.model_dump() | {"revision": _revision(connection) + 1}
    connection.execute(insert(api_key).values(values))
    return key


def _change(connection: Connection, key_id: str, **values: float | str) -> None:
    changed = update(api_key).where(api_key.c.id == key_id)
    connection.execute(changed.values(**values, revision=_revision(connection) + 1))


def _revision(connection: Connection) -> int:
    return connection.execute(select(func.max(api_key.c.revision))).scalar() or 0


def _found(
    connection: Connection, key_id: str, tenant: str | None, *, alone: bool = False
) -> ApiKey:
    """Return a key; whoever wants it `alone` changes it before others do."""
    wanted = select(api_key).where(api_key.c.id == key_id)
    row = connection.execute(wanted.with_for_update() if alone else wanted).first()
    if row is None or tenant not in (None, row.tenant):
        raise NotFoundError(f"no key {key_id}")
    return _key(row)


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    fields = dict(row._mapping)
    del fields["revision"]
    return ApiKey.model_validate(fields)
