"""The address of a PostgreSQL database: read, refused with a sentence, and shown without a secret.

Knows no driver, so that settings can be checked where none is installed. SQLAlchemy is loaded for
an address only: most commands have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL

FORM = "postgresql://USER:PASSWORD@HOST/DATABASE"
_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


def parse_url(text: str) -> URL:
    """Return the address; raises `ValueError` with what is wrong, and nothing of the address."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        reason = f"must be a URL like {FORM}; in a password, @ is written %40 and / is %2F"
        raise ValueError(reason) from None
    if url.drivername not in _SCHEMES:
        raise ValueError(f"must be a URL like {FORM}: without one, a SQLite file is used")
    if not url.database:
        raise ValueError(f"names no database: it must be a URL like {FORM}")
    return url.set(drivername="postgresql+psycopg")


def shown_url(url: URL) -> str:
    """Return an address to be told: no password, and no parameters, which may hold one."""
    from sqlalchemy import URL

    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    return bare.render_as_string()
