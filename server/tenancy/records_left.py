"""How many records a tenant may still save today.

They are counted in the database, so that a restart gives no new day and replicas share one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from memory.errors import SpentError
from memory.tenants import Limits, TenantStore
from server.config import Settings

DAY_S = 86_400


def records_left(
    store: TenantStore, tenant: str, defaults: Limits, now: Callable[[], float] = time.time
) -> int | None:
    """Return how many records may still be saved; None: no limit. Raises `SpentError`.

    `defaults` hold for a tenant without limits of its own. What is under way counts when it is
    committed. An erased record still counts.
    """
    most = store.of(tenant, defaults).records_per_day
    if most is None:
        return None
    at = now()
    midnight = at // DAY_S * DAY_S  # a clock that was ahead has made records of days to come
    left = most - store.records_between(tenant, midnight, midnight + DAY_S, most)
    if left <= 0:
        words = f"this tenant may save {most} records a day (records_per_day), and has"
        raise SpentError(f"{words}: the next day begins at midnight, UTC", midnight + DAY_S - at)
    return left


def room_of(store: TenantStore, tenant: str, settings: Settings) -> Callable[[], int | None]:
    """Return what tells a job of its tenant how many records it may still save."""
    return partial(records_left, store, tenant, limits_of(settings))


def limits_of(settings: Settings) -> Limits:
    """Return the limits of a tenant that has none of its own."""
    named = {name: getattr(settings, name, None) for name in Limits.model_fields}
    return Limits(**named)
