"""Lines of files that tell of an erased record, and their erasure.

A line is filled with spaces, so that a file keeps its length and every other line its number: what
reads JSON lines passes over it. Only lines that hold a JSON object are; whoever keeps other
documents here deletes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, delete, select, update

from memory.errors import NotFoundError
from memory.history.files import PART_BYTES, FileStore
from memory.store.database import Database
from memory.store.schema import batch, batch_answer, file_part
from memory.types import Record

LEAST_CHARS = 24
"""Fewest characters of an answer that may tell a line: shorter ones answer many questions."""

AT_ONCE = 16
"""Files of one part in memory at a time."""


@dataclass(frozen=True)
class Blanked:
    """What of files and batches went with a record."""

    files: Mapping[str, int] = field(default_factory=dict)
    """File → lines."""
    batch_answers: int = 0


def signs_of(record: Record, completion_ids: Sequence[str] = ()) -> tuple[bytes, ...]:
    """Return what a line that tells of a record holds: its texts as JSON, whole, and the ids."""
    texts = [record.question] if record.question.strip() else []
    texts += [record.rationale] if len(record.rationale) >= LEAST_CHARS else []
    quoted = [json.dumps(text, ensure_ascii=each) for text in texts for each in (True, False)]
    quoted += [json.dumps(each) for each in completion_ids]
    return tuple(dict.fromkeys(each.encode() for each in quoted))


def blank(database: Database, files: FileStore, tenant: str, signs: Sequence[bytes]) -> Blanked:
    """Erase the lines of a tenant's files, and the answers of its batches, that hold a sign."""
    if not signs:
        return Blanked()
    with database.writing(tenant) as connection:
        # Before the files are listed: of what is left of them, a batch that ends makes a file.
        answers = _drop_answers(connection, tenant, signs)
    files.drop_expired()  # nobody can read them any more, but they are there
    blanked: dict[str, int] = {}
    for file_id in _holding(database, files, tenant, signs):
        with suppress(NotFoundError):  # deleted, or expired, since
            if lines := list(_telling(files.content(tenant, file_id), signs)):
                with database.writing(tenant) as connection:
                    for start, end in lines:
                        _fill(connection, file_id, start, end)
                blanked[file_id] = len(lines)
    return Blanked(blanked, answers)


def _holding(
    database: Database, files: FileStore, tenant: str, signs: Sequence[bytes]
) -> Iterator[str]:
    """Yield the files that hold a sign; those of one part are read several at a time."""
    listed = files.list(tenant)
    small = [each.id for each in listed if each.bytes <= PART_BYTES]
    for start in range(0, len(small), AT_ONCE):
        some = file_part.c.file_id.in_(small[start : start + AT_ONCE])
        with database.reading(tenant) as connection:
            parts = connection.execute(select(file_part.c.file_id, file_part.c.content).where(some))
            found = [part.file_id for part in parts if _holds([bytes(part.content)], signs)]
        yield from found
    for each in listed:
        with suppress(NotFoundError):
            if each.bytes > PART_BYTES and _holds(files.content(tenant, each.id), signs):
                yield each.id


def _holds(content: Iterable[bytes], signs: Sequence[bytes]) -> bool:
    """Whether a sign is in a file: most hold none, and need not be cut into lines."""
    overlap, tail = max(map(len, signs)) - 1, b""
    for part in content:
        window = tail + part
        if any(sign in window for sign in signs):
            return True
        tail = window[-overlap:] if overlap else b""
    return False


def _telling(content: Iterator[bytes], signs: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where the lines that hold a sign begin and end, in bytes of the file."""
    place, pending = 0, b""
    for part in content:
        *whole, pending = (pending + part).split(b"\n")
        for line in whole:
            if _tells(line, signs):
                yield place, place + len(line)
            place += len(line) + 1
    if _tells(pending, signs):
        yield place, place + len(pending)


def _tells(line: bytes, signs: Sequence[bytes]) -> bool:
    return any(sign in line for sign in signs) and line.lstrip().startswith(b"{")


def _fill(connection: Connection, file_id: str, start: int, end: int) -> None:
    """Write spaces over bytes of a file, part by part."""
    for number in range(start // PART_BYTES, (end - 1) // PART_BYTES + 1):
        here = and_(file_part.c.file_id == file_id, file_part.c.number == number)
        part = connection.execute(select(file_part.c.content).where(here)).scalar()
        if part is None:  # deleted meanwhile
            return
        changed, first = bytearray(part), number * PART_BYTES
        begin, stop = max(start - first, 0), min(end - first, len(changed))
        changed[begin:stop] = b" " * (stop - begin)
        connection.execute(update(file_part).where(here).values(content=bytes(changed)))


def _drop_answers(connection: Connection, tenant: str, signs: Sequence[bytes]) -> int:
    """Erase what batches that have not ended were answered, where it tells of the record."""
    mine = select(batch.c.id).where(batch.c.tenant == tenant)
    place = (batch_answer.c.batch_id, batch_answer.c.line)
    found = select(*place, batch_answer.c.content).where(batch_answer.c.batch_id.in_(mine))
    telling = [
        row
        for row in connection.execute(found.execution_options(yield_per=100))
        if any(sign in bytes(row.content) for sign in signs)
    ]
    for row in telling:
        here = and_(place[0] == row.batch_id, place[1] == row.line)
        connection.execute(delete(batch_answer).where(here))
    return len(telling)
