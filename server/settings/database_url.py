"""The setting that names a PostgreSQL database: a secret, shown without what opens it."""

from __future__ import annotations

from pydantic import Secret

from memory.store.postgres_url import parse_url, shown_url


class DatabaseUrl(Secret[str]):
    """A URL whose password is in no log, error or table of settings."""

    def _display(self) -> str:
        return shown_url(parse_url(self.get_secret_value()))


def secret_of(url: DatabaseUrl | None) -> str | None:
    """Return the URL to connect to, None without one."""
    return None if url is None else url.get_secret_value()
