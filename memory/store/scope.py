"""Whose rows a transaction may touch: one tenant's, those of several, or everyone's.

Where the database knows policies, rows of others are not there, whatever a query forgets to say.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias


class Everyone:
    """Work that is about all tenants: keys, expiry, statistics, copies."""


EVERYONE: Final = Everyone()
Scope: TypeAlias = str | Collection[str] | Everyone  # a tenant, several, or everyone


def tenants_of(scope: Scope) -> list[str] | None:
    """Return the tenants that are meant, in order; None for everyone."""
    if isinstance(scope, Everyone):
        return None
    return [scope] if isinstance(scope, str) else sorted(set(scope))
