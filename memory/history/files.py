"""Files of clients, in the database: what is in them is as durable, and as much a tenant's own, as
records are, and a backup holds it.

Owns the tables of files and their parts. Knows nothing of what is in a file.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, or_, select

from memory.errors import ConflictError, NotFoundError
from memory.paging import place_of
from memory.store.database import Database
from memory.store.schema import file, file_part
from memory.store.scope import EVERYONE
from memory.types import Frozen

PART_BYTES = 2**20
"""Bytes of a file's content that are in memory at a time."""
MOST_FILES = 10_000
"""Most files of a tenant; beyond them it uploads none."""
Files: TypeAlias = "list[StoredFile]"  # inside the class, `list` is a method
Order: TypeAlias = Literal["asc", "desc"]


class StoredFile(Frozen):
    """What is known of a file besides its content; times are Unix seconds."""

    id: str
    tenant: str
    name: str
    """As the client calls it; never a path here."""
    purpose: str
    bytes: int
    created_at: float
    expires_at: float | None = None


class NewFile(Frozen):
    """What makes a file, besides its content."""

    tenant: str
    name: str
    purpose: str
    expires_at: float | None = None


class FileStore:
    """The files of all tenants; one that has expired exists no more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewFile, content: Iterable[bytes], most: int | None = None) -> StoredFile:
        """Keep a file, wholly or not at all.

        `most` bounds the bytes of all the tenant's files; raises `ConflictError` beyond it.
        """
        with self._database.writing(new.tenant) as connection:
            drop_expired(connection)
            if _count(connection, new.tenant) >= MOST_FILES:
                raise ConflictError(f"there are {MOST_FILES} files of yours: delete some")
            made = write_file(connection, new, content)
            if most is not None and (held := _held(connection, new.tenant)) > most:
                raise ConflictError(
                    f"with this file, all of yours would come to {held} bytes, and {most} are the "
                    "most: delete some"
                )
        return made

    def get(self, tenant: str, file_id: str) -> StoredFile:
        """Return what is known of a file; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            return found_file(connection, tenant, file_id)

    def list(
        self,
        tenant: str,
        *,
        purpose: str | None = None,
        limit: int = 10_000,
        after: str | None = None,
        order: Order = "desc",
    ) -> Files:
        """Return a tenant's files, the newest first; those that come `after` one of that id."""
        newest_first = order == "desc"
        number = file.c.number
        wanted = and_(file.c.tenant == tenant, _alive())
        if purpose is not None:
            wanted = and_(wanted, file.c.purpose == purpose)
        with self._database.reading(tenant) as connection:
            if after is not None:
                place = place_of(_row, connection, tenant, after).number
                wanted = and_(wanted, number < place if newest_first else number > place)
            ordered = select(file).where(wanted).order_by(number.desc() if newest_first else number)
            return [_file(row) for row in connection.execute(ordered.limit(limit))]

    def content(self, tenant: str, file_id: str) -> Iterator[bytes]:
        """Yield a file's content in parts; raises `NotFoundError`, also where it goes meanwhile."""
        self.get(tenant, file_id)
        number = 0
        while True:
            with self._database.reading(tenant) as connection:
                here = and_(file_part.c.file_id == file_id, file_part.c.number == number)
                part = connection.execute(select(file_part.c.content).where(here)).scalar()
                if part is None:
                    found_file(connection, tenant, file_id)
                    return
            yield bytes(part)
            number += 1

    def delete(self, tenant: str, file_id: str) -> None:
        """Erase a file; raises `NotFoundError`."""
        with self._database.writing(tenant) as connection:
            found_file(connection, tenant, file_id)
            _drop(connection, [file_id])

    def drop_expired(self) -> int:
        """Erase what has expired; return how many files."""
        with self._database.writing(EVERYONE) as connection:
            return drop_expired(connection)


def write_file(connection: Connection, new: NewFile, content: Iterable[bytes]) -> StoredFile:
    """Write a file within a transaction of others."""
    file_id, size = f"file-{uuid4().hex}", 0
    row = new.model_dump() | {"id": file_id, "bytes": 0, "created_at": time.time()}
    connection.execute(insert(file).values(row))
    for number, part in enumerate(_parts(content)):
        connection.execute(insert(file_part).values(file_id=file_id, number=number, content=part))
        size += len(part)
    here = file.c.id == file_id
    connection.execute(file.update().where(here).values(bytes=size))
    return StoredFile.model_validate(row | {"bytes": size})


def found_file(connection: Connection, tenant: str, file_id: str) -> StoredFile:
    """Return a tenant's file; raises `NotFoundError`."""
    return _file(_row(connection, tenant, file_id))


def drop_expired(connection: Connection) -> int:
    """Erase the files that have expired; return how many."""
    ids = connection.execute(select(file.c.id).where(file.c.expires_at <= time.time())).scalars()
    return _drop(connection, list(ids))


def _drop(connection: Connection, file_ids: list[str]) -> int:
    for file_id in file_ids:
        connection.execute(delete(file_part).where(file_part.c.file_id == file_id))
        connection.execute(delete(file).where(file.c.id == file_id))
    return len(file_ids)


def _parts(content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in parts of `PART_BYTES`, the last one shorter."""
    pending = bytearray()
    for piece in content:
        pending += piece
        while len(pending) >= PART_BYTES:
            yield bytes(pending[:PART_BYTES])
            del pending[:PART_BYTES]
    if pending:
        yield bytes(pending)


def _count(connection: Connection, tenant: str) -> int:
    counted = select(func.count()).select_from(file).where(file.c.tenant == tenant)
    return int(connection.execute(counted).scalar_one())


def _held(connection: Connection, tenant: str) -> int:
    held = select(func.sum(file.c.bytes)).where(file.c.tenant == tenant)
    return int(connection.execute(held).scalar() or 0)


def _alive() -> ColumnElement[bool]:
    return or_(file.c.expires_at.is_(None), file.c.expires_at > time.time())


def _row(connection: Connection, tenant: str, file_id: str) -> Row[tuple[object, ...]]:
    here = and_(file.c.id == file_id, file.c.tenant == tenant, _alive())
    row = connection.execute(select(file).where(here)).first()
    if row is None:
        raise NotFoundError(f"no file {file_id}")
    return row


def _file(row: Row[tuple[object, ...]]) -> StoredFile:
    fields = dict(row._mapping)
    del fields["number"]
    return StoredFile.model_validate(fields)
