"""What each tenant's votes came to, by model: in tables, so that servers share it.

Owns the table. Knows nothing of what was found, but that it may be nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select

from memory.store.database import Database
from memory.store.schema import calibration
from memory.store.scope import EVERYONE
from memory.store.upsert import upsert


class CalibrationStore:
    """The calibrations of all tenants that have their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_model(self, model: str) -> dict[str, dict[str, Any] | None]:
        """Return what was found for every tenant that has its own; None: votes came to nothing."""
        here = select(calibration).where(calibration.c.model == model)
        with self._database.reading(EVERYONE) as connection:
            return {row.tenant: row.found for row in connection.execute(here)}

    def set(self, tenant: str, model: str, found: Mapping[str, Any] | None) -> None:
        """Keep what was found for a tenant, in place of what was found before."""
        row = {"tenant": tenant, "model": model, "found": found}
        with self._database.writing(tenant) as connection:
            upsert(connection, calibration, ["tenant", "model"], row)

    def drop(self, tenant: str) -> None:
        """Forget a tenant's own: what holds for all models of it is the server's again."""
        with self._database.writing(tenant) as connection:
            connection.execute(delete(calibration).where(calibration.c.tenant == tenant))
