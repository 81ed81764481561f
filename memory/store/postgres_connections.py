"""Connections to a PostgreSQL server: how many, how they begin, how one that is gone is noticed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event

from memory.errors import StorageUnavailableError
from memory.store.postgres_url import parse_url

POOL = 8
OVERFLOW = 16
WAIT_S = 15
"""For a connection, and for locks that others hold."""
CONNECTING: Mapping[str, Any] = {
    "connect_timeout": 5,
    "application_name": "whet",
    # A server that is gone without a word is noticed in half a minute, not in two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
SESSION = f"""SELECT set_config('lock_timeout', '{WAIT_S}s', false),
    set_config('idle_in_transaction_session_timeout', '60s', false)"""
"""Locks of a machine that is gone are free after a minute."""


def parsed_url(address: str) -> URL:
    """Return the address of a database; raises `StorageUnavailableError` where it is none."""
    try:
        return parse_url(address)
    except ValueError as error:
        raise StorageUnavailableError(f"the database's address {error}") from error


def engine_of(url: URL) -> Engine:
    """Return what connects to a database; raises `StorageUnavailableError` without a driver."""
    given = {name: value for name, value in CONNECTING.items() if name not in url.query}
    try:
        engine = create_engine(
            url,
            pool_size=POOL,
            max_overflow=OVERFLOW,
            pool_timeout=WAIT_S,
            connect_args=given,
            hide_parameters=True,
        )
        from memory.store.postgres_text import keep_every_character
    except ModuleNotFoundError as error:
        raise StorageUnavailableError(
            "PostgreSQL needs its driver: pip install 'whet[postgres]'"
        ) from error

    def configure(connection: Any, _: object) -> None:
        keep_every_character(connection)
        connection.execute(SESSION)
        connection.commit()

    event.listen(engine, "connect", configure)
    return engine
