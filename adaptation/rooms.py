"""How many places there are, and for whom."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Protocol

LATELY_S = 30.0
"""A tenant that asked so lately counts as one that may ask again at any moment."""


class Room(Protocol):
    """Says whether one more may enter."""

    def seen(self, tenant: str) -> None:
        """Note that a tenant asks, or has just been served."""

    def fits(self, tenant: str, held: Counter[str]) -> bool:
        """Return whether the tenant may have one more, beside the places that are held."""


class FixedPlaces:
    """A number of places, for whoever comes."""

    def __init__(self, places: int) -> None:
        self._places = places

    def seen(self, tenant: str) -> None:
        """See `Room.seen`."""

    def fits(self, tenant: str, held: Counter[str]) -> bool:
        """See `Room.fits`."""
        return held.total() < self._places


class SharedPlaces:
    """Many places for a tenant that is alone, few for several: each then slows the others less.

    Of the few, a tenant has its share by weight whenever it asks, however much the others hold.
    Beyond its share it has what is free of the first `spare` places.
    """

    def __init__(
        self,
        alone: int,
        shared: int,
        spare: int,
        weight_of: Callable[[str], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`alone` and `shared` are the places of one tenant, and of several together."""
        self._alone, self._shared, self._spare = alone, shared, spare
        self._weight_of, self._clock = weight_of, clock
        self._lately: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Tenants with their weights and when they were seen, the latest last."""
        self._weights = 0.0

    def seen(self, tenant: str) -> None:
        """See `Room.seen`."""
        self._drop(tenant)
        weight = self._weight_of(tenant)
        self._lately[tenant] = weight, self._clock()
        self._weights += weight

    def fits(self, tenant: str, held: Counter[str]) -> bool:
        """See `Room.fits`."""
        self._tidy(held)
        if len(self._lately) <= 1:
            return held.total() < self._alone
        share = self._shared * self._weight_of(tenant) / self._weights
        return held[tenant] < max(1.0, share) or held.total() < self._spare

    def _tidy(self, held: Counter[str]) -> None:
        """Forget who has not been seen lately and holds nothing."""
        now = self._clock()
        while self._lately:
            tenant, (_, when) = next(iter(self._lately.items()))
            if now - when < LATELY_S:
                return
            if held[tenant]:
                self.seen(tenant)
            else:
                self._drop(tenant)

    def _drop(self, tenant: str) -> None:
        weight, _ = self._lately.pop(tenant, (0.0, 0.0))
        self._weights = self._weights - weight if self._lately else 0.0
