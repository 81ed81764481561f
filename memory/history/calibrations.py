"""What each tenant's votes came to, by model: in tables, so that servers share it.

Owns the table. Knows nothing of what was found, but that it may be nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Text, cast, delete, select

from memory.store.database import Database
from memory.store.schema import calibration
from memory.store.scope import EVERYONE
from memory.store.upsert import upsert


class CalibrationStore:
    """The calibrations of all tenants that have their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_model(self, model: str) -> dict[str, str | None]:
        """Return what was found for every tenant that has its own, as JSON that nobody has read;
        None: votes came to nothing.
        """
        found = cast(calibration.c.found, Text).label("found")
        here = select(calibration.c.tenant, found).where(calibration.c.model == model)
        with self._database.reading(EVERYONE) as connection:
            return {row.tenant: row.found for row in connection.execute(here)}

    def models(self) -> dict[str, list[str]]:
        """Return the models that each tenant has a calibration of its own for."""
        rows = select(calibration.c.tenant, calibration.c.model).order_by(calibration.c.model)
        found: dict[str, list[str]] = {}
        with self._database.reading(EVERYONE) as connection:
            for tenant, model in connection.execute(rows):
                found.setdefault(tenant, []).append(model)
        return found

    def set(self, tenant: str, model: str, found: Mapping[str, Any] | None) -> None:
        """Keep what was found for a tenant, in place of what was found before."""
        row = {"tenant": tenant, "model": model, "found": found}
        with self._database.writing(tenant) as connection:
            upsert(connection, calibration, ["tenant", "model"], row)

    def drop(self, tenant: str) -> list[str]:
        """Forget a tenant's own, and return their models: what holds for all is the server's again.

        One that cannot be read goes like the others.
        """
        own = calibration.c.tenant == tenant
        with self._database.writing(tenant) as connection:
            models = connection.scalars(select(calibration.c.model).where(own)).all()
            connection.execute(delete(calibration).where(own))
        return sorted(models)
