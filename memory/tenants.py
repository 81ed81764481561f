"""What each tenant may use, and how many records it has made. Owns the table of limits; knows
nothing of how they are enforced."""

from __future__ import annotations

import logging
import time

from pydantic import ConfigDict, Field, ValidationError
from sqlalchemy import Connection, Text, cast, func, select

from memory.store.database import Database
from memory.store.schema import record, tenant_limits
from memory.store.scope import EVERYONE
from memory.store.upsert import upsert
from memory.types import Frozen

logger = logging.getLogger(__name__)
KEPT = cast(tenant_limits.c.limits, Text).label("limits")
"""As JSON that nobody has read."""


class Limits(Frozen):
    """What a tenant may use; None: as much as it likes. A docstring is also a flag's help."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    requests_per_minute: int | None = Field(default=None, ge=1)
    """requests begun in a minute"""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """tokens read and generated in a minute, losing and cancelled votes included"""
    concurrent_requests: int | None = Field(default=None, ge=1)
    """requests at work at a time"""
    training_steps_per_day: int | None = Field(default=None, ge=0)
    """steps of per-request training in a day (UTC)"""
    records_per_day: int | None = Field(default=None, ge=0)
    """records made in a day (UTC): of answers, feedback, imports and practice"""
    files_mb: int | None = Field(default=None, ge=0)
    """megabytes of files kept"""
    responses_mb: int | None = Field(default=None, ge=0)
    """megabytes of stored responses and conversations kept"""
    weight: float | None = Field(default=None, gt=0, le=1000)
    """share of the engine beside others that want more than there is, 1 where none is set"""

    def over(self, defaults: Limits) -> Limits:
        """Return these limits, and the defaults where nothing is set."""
        given = self.model_dump(exclude_none=True)
        return Limits(**{**defaults.model_dump(), **given})


class TenantStore:
    """The limits of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> dict[str, Limits]:
        """Return the limits of every tenant that has any of its own."""
        with self._database.reading(EVERYONE) as connection:
            rows = connection.execute(select(tenant_limits.c.tenant, KEPT)).all()
        return {row.tenant: _read(*row) for row in rows if row.limits not in (None, "{}")}

    def set(self, tenant: str, limits: Limits) -> None:
        """Give a tenant limits in the place of those it had; none at all: the server's defaults."""
        with self._database.writing(EVERYONE) as connection:
            row = {
                "tenant": tenant,
                "limits": limits.model_dump(exclude_none=True),
                "changed_at": time.time(),
                "revision": _revision(connection) + 1,
            }
            upsert(connection, tenant_limits, ["tenant"], row)

    def of(self, tenant: str, defaults: Limits) -> Limits:
        """Return what one tenant may use."""
        query = select(KEPT).where(tenant_limits.c.tenant == tenant)
        with self._database.reading(EVERYONE) as connection:
            own = connection.execute(query).scalar()
        return _read(tenant, own).over(defaults)

    def records_between(self, tenant: str, start: float, end: float, most: int) -> int:
        """Count the records made from one moment on and before another (Unix seconds), erased ones
        too; `most` at most."""
        made = select(record.c.created_at).where(
            record.c.tenant == tenant, record.c.created_at >= start, record.c.created_at < end
        )
        count = select(func.count()).select_from(made.limit(most).subquery())
        with self._database.reading(tenant) as connection:
            return int(connection.execute(count).scalar_one())

    def revision(self) -> int:
        """Return a number that is another one after every change."""
        with self._database.reading(EVERYONE) as connection:
            return _revision(connection)


def _read(tenant: str, kept: str | None) -> Limits:
    """Return a tenant's own limits; for those that cannot be read the server's hold.

    The other tenants of the server are to keep theirs.
    """
    try:
        return Limits.model_validate_json(kept or "{}")
    except ValidationError:
        logger.warning(
            "the limits of tenant %s cannot be read: the server's hold for it. "
            "`whet tenants set %s` gives it others; `whet tenants reset %s` drops them, and the "
            "tenant's own calibrations",
            *(tenant, tenant, tenant),
        )
        return Limits()


def _revision(connection: Connection) -> int:
    return connection.execute(select(func.max(tenant_limits.c.revision))).scalar() or 0
