"""Whose turn it is in the engine: fair shares, told to vLLM's scheduler as priorities.

Start-time fair queueing (Goyal, Vin and Cheng 1996). Each request of tenant f gets the start tag
    S = max(v, F_f),    F_f ← S + cost / weight_f,
and smaller tags go first; v is the largest tag that was served. A tenant that asks for more than
its share runs ahead of v, and others pass it; alone it has everything. Costs are tokens: what a
tenant's requests took lately, until a request has ended and its own are known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

FIRST_COST = 64.0
"""Tokens a request is thought to take, of a tenant that nothing is known of."""
FEW, MOST_TYPICAL = 1000, 10_000
"""Tenants that are remembered whether they are ahead or not; whose usual costs are."""
NEW_SHARE = 0.1
"""Weight of the newest request in the estimate of what a tenant's requests take."""


@dataclass(frozen=True)
class Turn:
    """A request's place."""

    tenant: str
    start: float
    expected: float
    """Tokens."""

    @property
    def priority(self) -> int:
        """The smaller, the earlier."""
        return int(self.start)


class FairShares:
    """Hands out turns."""

    def __init__(self, weight_of: Callable[[str], float]) -> None:
        self._weight_of = weight_of
        self._now = 0.0
        self._finish: dict[str, float] = {}
        self._typical: LRUCache[str, float] = LRUCache(MOST_TYPICAL)
        self._at_work: Counter[str] = Counter()
        self._tidy_at = FEW

    def begin(self, tenant: str, samples: int = 1) -> Turn:
        """Return the turn of a request for so many samples."""
        self._tidy()
        expected = samples * self._typical.get(tenant, FIRST_COST)
        start = max(self._now, self._finish.get(tenant, 0.0))
        self._finish[tenant] = start + expected / self._weight_of(tenant)
        self._at_work[tenant] += 1
        return Turn(tenant, start, expected)

    def served(self, turn: Turn) -> None:
        """Note that the engine has begun with a request."""
        self._now = max(self._now, turn.start)

    def end(self, turn: Turn, tokens: int, samples: int = 1) -> None:
        """Note what a request took; what it took otherwise than expected counts from now on."""
        tenant, typical = turn.tenant, self._typical.get(turn.tenant, FIRST_COST)
        if tokens:  # one that ended before its turn says nothing of the others
            self._typical[tenant] = typical + NEW_SHARE * (tokens / samples - typical)
        self._finish[tenant] += (tokens - turn.expected) / self._weight_of(tenant)
        self._at_work[tenant] -= 1
        if not self._at_work[tenant]:
            del self._at_work[tenant]
        if not self._at_work:  # nobody waits: nobody is ahead of anybody
            self._now = max([self._now, *self._finish.values()])
            self._finish.clear()

    def _tidy(self) -> None:
        """Forget tenants that are ahead of nobody: a gateway may name any number."""
        if len(self._finish) < self._tidy_at:
            return
        for tenant, finish in list(self._finish.items()):
            if finish <= self._now and tenant not in self._at_work:
                del self._finish[tenant]
        self._tidy_at = 2 * len(self._finish) + FEW
