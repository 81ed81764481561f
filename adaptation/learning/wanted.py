"""Questions whose training had no time: to be trained for when there is."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from adaptation.types import Query

MOST = 64
"""Neighbourhoods remembered; of more, those longest unasked go. A restart forgets them all."""


@dataclass
class Want:
    """A neighbourhood that requests asked for in vain."""

    query: Query
    """The last of those requests."""
    times: int = 0


class Wanted:
    """One entry for a neighbourhood, however many requests asked for it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._wants: OrderedDict[str, Want] = OrderedDict()

    def note(self, key: str, query: Query) -> None:
        """Remember that a request had no time to train on the neighbourhood `key`."""
        want = self._wants.setdefault(key, Want(query))
        want.query, want.times = query, want.times + 1
        self._wants.move_to_end(key)
        if len(self._wants) > self._most:
            self._wants.popitem(last=False)

    def take(self, tenant: str | None = None) -> Query | None:
        """Remove and return what was asked for most often, by one tenant or by any."""
        wants = [key for key in self._wants if tenant in (None, self._wants[key].query.tenant)]
        if not wants:
            return None
        return self._wants.pop(max(wants, key=lambda key: self._wants[key].times)).query

    def count(self, tenant: str | None = None) -> int:
        """Return how many neighbourhoods are wanted."""
        return sum(tenant in (None, want.query.tenant) for want in self._wants.values())
