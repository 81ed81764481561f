"""One tenant's use on one server of several, which hold its limits together.

What it may do was given to this server alone, so that counting a request waits for nobody. Knows
nothing of how claims get to the database (`server.tenancy.settling`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from memory.quota_claims import Claim, Grant
from memory.tenants import Limits
from server.tenancy.buckets import Bucket
from server.tenancy.quota import Clock, Quota
from server.tenancy.shared_bucket import PART, Company, SharedBucket

BEAT_S = 1.0
"""Between two claims of a server that has something of a tenant: others see it so much later."""
STALE_S = 2.5 * BEAT_S
"""What is known for longer is asked for again before a request goes by it."""


class SharedQuota(Quota):
    """A tenant's use on this server, and what it may use."""

    def __init__(
        self,
        limits: Limits,
        company: Company,
        stir: Callable[[], None] = lambda: None,
        clock: Clock = time.monotonic,
        now: Clock = time.time,
    ) -> None:
        """`stir` has a claim made soon."""
        self._company, self._stir = company, stir
        self.waiting = 0
        """Requests that wait for the answer to a claim."""
        self._places = self._elsewhere = 0
        self._begun = self._begun_before = 0
        self._in_background = 0
        self._steps = self._steps_told = 0
        self._known_at = -math.inf
        super().__init__(limits, clock, now)

    def update(self, limits: Limits) -> None:
        """Go on under other limits, once the database has told what is left of them."""
        super().update(limits)
        self._known_at = -math.inf

    def lacks(self, coming: int, in_background: int) -> bool:
        """Whether requests that are coming have to wait for a claim.

        So many are at work here that no client waits for.
        """
        self._in_background = in_background
        if not self._is_limited or self._company.is_away:
            return False
        is_stale = self._clock() - self._known_at > STALE_S
        wants_place = self.limits.concurrent_requests and self._busy + coming > self._places
        wants_leave = isinstance(self._requests, SharedBucket) and self._requests.lacks(coming)
        return bool(is_stale or wants_place or wants_leave)

    def note_trained(self, steps: int) -> None:
        """Note steps of training."""
        self._steps += steps
        self._stir()

    def beat(self) -> bool:
        """Note that a second has passed; return whether there is something to claim."""
        self._begun_before, self._begun = self._begun, 0
        for bucket in self._buckets:
            bucket.beat()
        is_at_work = self._is_limited and self._busy  # of whoever has no limits nobody has to know
        return bool(is_at_work or self._places or self._steps or any(map(_is_open, self._buckets)))

    def claim(self, in_background: int) -> Claim:
        """Return what was used and what is wanted; the answer goes to `settle` or `keep`."""
        self._in_background, self._steps_told = in_background, self._steps
        requests, more_requests = _claim(self._requests, self.waiting)
        tokens, _ = _claim(self._tokens, 0)
        more_places = self.waiting + self._spare
        self._places = min(self._places, self._busy + more_places)  # the rest is given back
        return Claim(
            limits=self.limits,
            requests=requests,
            more_requests=more_requests,
            tokens=tokens,
            steps=self._steps,
            at_work=self._busy,
            more_places=more_places,
        )

    def settle(self, grant: Grant) -> None:
        """Note what this server got."""
        self._known_at = self._clock()
        self._places, self._elsewhere = grant.places, grant.places_elsewhere
        self._day, self._trained = grant.day, grant.steps
        self._steps -= self._steps_told
        if isinstance(self._requests, SharedBucket):
            self._requests.settle(grant.requests, grant.requests_left)
        if isinstance(self._tokens, SharedBucket):
            self._tokens.settle(0, grant.tokens_left)

    def keep(self) -> None:
        """Note that the claim was not counted."""
        for bucket in self._buckets:
            bucket.keep()

    @property
    def is_unused(self) -> bool:
        """Whether a new one in its place would be the same."""
        is_open = self.waiting or self._places or self._steps or any(map(_is_open, self._buckets))
        return super().is_unused and not is_open

    def _enter(self) -> None:
        super()._enter()
        self._begun += 1

    def _leave(self) -> None:
        super()._leave()
        if self._places > self._busy + self._spare:
            self._stir()  # another server may wait for the place

    def _most_at_work(self, share: float) -> int | None:
        most = super()._most_at_work(share)
        if most is None:
            return None
        if self._company.is_away:
            return max(1, most // self._company.servers)
        return min(self._places, most - self._elsewhere)

    def _bucket(self, per_minute: int | None, *, of_tokens: bool = False) -> SharedBucket | None:
        if per_minute is None:
            return None
        return SharedBucket(per_minute, self._company, self._clock, in_advance=not of_tokens)

    def _trained_today(self) -> int:
        return super()._trained_today() + self._steps

    @property
    def _is_limited(self) -> bool:
        own = self.limits
        rates = (own.requests_per_minute, own.tokens_per_minute)
        most = (own.concurrent_requests, own.training_steps_per_day)
        return any(limit is not None for limit in (*rates, *most))

    @property
    def _busy(self) -> int:
        return self._at_work + self._in_background

    @property
    def _spare(self) -> int:
        """Places that are kept for requests to come."""
        lately = max(self._begun, self._begun_before)
        return min((self.limits.concurrent_requests or 0) // PART, lately)

    @property
    def _buckets(self) -> list[SharedBucket]:
        both = (self._requests, self._tokens)
        return [bucket for bucket in both if isinstance(bucket, SharedBucket)]


def _claim(bucket: Bucket | None, waiting: int) -> tuple[int, int]:
    return bucket.claim(waiting) if isinstance(bucket, SharedBucket) else (0, 0)


def _is_open(bucket: SharedBucket) -> bool:
    """Whether the database does not know all of it, or thinks it held here."""
    return bool(bucket.held or bucket.owed)
