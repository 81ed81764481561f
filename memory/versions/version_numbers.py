"""Which of its tenant's generations on its base a version is, counted from 1.

A number is given once and never again: `MODEL@3` is the same weights for ever, or none.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from memory.store.schema import version_number

LARGEST = 2**31 - 1
"""That a database holds, which no tenant comes to."""


def give_number(connection: Connection, tenant: str, base_model: str, adapter_id: str) -> None:
    """Number a new version, in a transaction that writes for its tenant."""
    mine = (version_number.c.tenant == tenant) & (version_number.c.base_model == base_model)
    last = connection.execute(select(func.max(version_number.c.number)).where(mine)).scalar() or 0
    row = {"adapter_id": adapter_id, "tenant": tenant, "base_model": base_model}
    connection.execute(insert(version_number).values(**row, number=last + 1))


def number_of(connection: Connection, adapter_id: str) -> int | None:
    """Return a version's number, None where it has none."""
    mine = version_number.c.adapter_id == adapter_id
    found: int | None = connection.execute(select(version_number.c.number).where(mine)).scalar()
    return found


def numbered(connection: Connection, tenant: str, base_model: str, number: int) -> str | None:
    """Return the id of a tenant's version by its number, None where there is none."""
    if number > LARGEST:
        return None
    mine = (version_number.c.tenant == tenant) & (version_number.c.base_model == base_model)
    query = select(version_number.c.adapter_id).where(mine, version_number.c.number == number)
    found: str | None = connection.execute(query).scalar()
    return found
