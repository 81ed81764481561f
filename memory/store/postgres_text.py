"""Texts that PostgreSQL does not take: it has no place for the character NUL, and SQLite has one.

So NUL is written as two characters, the first of which no text has for a meaning of its own
(U+10FFFF, a noncharacter); where a text has that one all the same, it is written as two as well.
What is read is what was given. In JSON columns NUL stands as `\\u0000` already.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.string import StrDumperUnknown

NUL = "\x00"
MARK = "\U0010ffff"
_MARK_BYTES = MARK.encode()


def escaped(text: str) -> str:
    """Return a text that PostgreSQL takes, and `restored` turns back."""
    if NUL in text or MARK in text:
        return text.replace(MARK, MARK + "1").replace(NUL, MARK + "0")
    return text


def restored(text: str) -> str:
    """Return the text that was given."""
    if MARK in text:
        return text.replace(MARK + "0", NUL).replace(MARK + "1", MARK)
    return text


class _Written(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(escaped(obj))


class _Read(Loader):
    def load(self, data: Buffer) -> str:
        return restored(bytes(data).decode())


def keep_every_character(connection: Connection[Any]) -> None:
    """Have a connection write and read texts as they are."""
    connection.adapters.register_dumper(str, _Written)
    for kind in ("text", "varchar"):
        connection.adapters.register_loader(kind, _Read)
