"""What each tenant has used of its limits, since the server was started; its records are counted in
the database.

Requests and their number at a time are counted before they begin, tokens and training steps when
they are known: so a tenant may go over by what is under way, and waits the longer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from memory.tenants import Limits, TenantStore
from memory.threads import Threads
from server.refusals.errors import ApiError
from server.telemetry.metrics import TenantUse
from server.tenancy.buckets import Bucket
from server.tenancy.followed import Followed
from server.tenancy.records_left import DAY_S, records_left

BATCH_SHARE = 0.5
"""Share of a limit that requests may use which nobody waits for."""
FEW = 1000
"""Tenants that are remembered whether they use anything or not."""
Clock = Callable[[], float]


class Quota:
    """One tenant's use."""

    def __init__(
        self, limits: Limits, clock: Clock = time.monotonic, now: Clock = time.time
    ) -> None:
        self._clock, self._now = clock, now
        self._at_work = 0
        self._day = self._trained = 0
        self.limits = limits
        self._requests = self._bucket(limits.requests_per_minute)
        self._tokens = self._bucket(limits.tokens_per_minute)

    def update(self, limits: Limits) -> None:
        """Go on under other limits; a rate that stays goes on from where it was."""
        if limits.requests_per_minute != self.limits.requests_per_minute:
            self._requests = self._bucket(limits.requests_per_minute)
        if limits.tokens_per_minute != self.limits.tokens_per_minute:
            self._tokens = self._bucket(limits.tokens_per_minute)
        self.limits = limits

    def begin(
        self, in_background: int = 0, *, in_batch: bool = False
    ) -> AbstractContextManager[None]:
        """Return what counts a request for as long as it is at work; raises `ApiError` (429).

        So many more are at work without a client that waits. One of a batch leaves half of every
        limit to those that somebody waits for.
        """
        self._check(self._at_work + in_background, BATCH_SHARE if in_batch else 1.0)
        if self._requests is not None:
            self._requests.take(1)
        self._at_work += 1
        return self._at_work_until_left()

    @contextmanager
    def _at_work_until_left(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._at_work -= 1

    def spend_tokens(self, tokens: int) -> None:
        """Note what was read and generated."""
        if self._tokens is not None:
            self._tokens.take(tokens)

    @property
    def training_steps_left(self) -> int | None:
        """How many may still be trained today; None: no limit."""
        most = self.limits.training_steps_per_day
        return None if most is None else max(0, most - self._trained_today())

    def note_trained(self, steps: int) -> None:
        """Note steps of training."""
        self._trained = self._trained_today() + steps

    def headers(self) -> Mapping[str, str]:
        """Return OpenAI's headers of those rates that have a limit."""
        rates = {"requests": self._requests, "tokens": self._tokens}
        shown: dict[str, str] = {}
        for name, bucket in rates.items():
            if bucket is not None:
                shown[f"x-ratelimit-limit-{name}"] = str(bucket.per_minute)
                shown[f"x-ratelimit-remaining-{name}"] = str(bucket.remaining)
                shown[f"x-ratelimit-reset-{name}"] = duration(bucket.full_in_s)
        return shown

    @property
    def is_unused(self) -> bool:
        """Whether a new one in its place would be the same."""
        rates = (self._requests, self._tokens)
        is_full = all(bucket is None or not bucket.full_in_s for bucket in rates)
        return is_full and not self._at_work and not self._trained_today()

    def _check(self, at_work: int, share: float) -> None:
        most = self.limits.concurrent_requests
        if most is not None and at_work >= max(1, int(most * share)):
            raise _over("concurrent_requests", f"{most} requests at a time", 1.0)
        for name, bucket in (("requests", self._requests), ("tokens", self._tokens)):
            if bucket is not None and bucket.content < (least := bucket.least(share)):
                rate = f"{bucket.per_minute} {name} a minute"
                raise _over(f"{name}_per_minute", rate, bucket.wait_s(least))

    def _bucket(self, per_minute: int | None) -> Bucket | None:
        return None if per_minute is None else Bucket(per_minute, self._clock)

    def _trained_today(self) -> int:
        day = int(self._now() // DAY_S)
        if day != self._day:
            self._day, self._trained = day, 0
        return self._trained


class Quotas:
    """Every tenant's use, under the limits that the database has for it, else the server's."""

    def __init__(self, store: TenantStore, defaults: Limits, threads: Threads) -> None:
        self._defaults, self._store = defaults, store
        self._limits = Followed("limits", store.revision, store.list, threads)
        self._known: Mapping[str, Limits] = {}
        self._quotas: dict[str, Quota] = {}
        self._tidy_at = FEW
        self.use: TenantUse | None = None
        """Where it is counted for `/metrics` as well."""

    async def of(self, tenant: str) -> Quota:
        """Return a tenant's use, under the limits of now."""
        self._known = await self._limits.value()
        quota, limits = self.now(tenant), self._limits_of(tenant)
        if quota.limits != limits:
            quota.update(limits)
        return quota

    def now(self, tenant: str) -> Quota:
        """Return a tenant's use, without a look whether its limits have changed."""
        quota = self._quotas.get(tenant)
        if quota is None:
            self._tidy()
            quota = self._quotas.setdefault(tenant, Quota(self._limits_of(tenant)))
        return quota

    def weight(self, tenant: str) -> float:
        """Return a tenant's share beside others."""
        return self._limits_of(tenant).weight or 1.0

    def training_steps(self, tenant: str) -> int | None:
        """Return how many steps a tenant may still train today; None: no limit."""
        return self.now(tenant).training_steps_left

    def trained(self, tenant: str, steps: int) -> None:
        """Note steps of training."""
        self.now(tenant).note_trained(steps)

    def records(self, tenant: str) -> int | None:
        """See `records_left`."""
        return records_left(self._store, tenant, self._defaults)

    async def files_bytes(self, tenant: str) -> int | None:
        """Return how much all files of a tenant may come to; None: no limit."""
        megabytes = (await self.of(tenant)).limits.files_mb
        return None if megabytes is None else megabytes * 10**6

    async def response_bytes(self, tenant: str) -> int | None:
        """Return how much a tenant's responses and conversations may come to; None: no limit."""
        megabytes = (await self.of(tenant)).limits.responses_mb
        return None if megabytes is None else megabytes * 10**6

    def spent(self, tenant: str, tokens: int) -> None:
        """Note tokens that were read and generated."""
        self.now(tenant).spend_tokens(tokens)
        if self.use is not None:
            self.use.tokens.labels(tenant).inc(tokens)

    def begun(self, tenant: str) -> None:
        """Note a request that was let in."""
        if self.use is not None:
            self.use.requests.labels(tenant).inc()

    def forget(self) -> None:
        """Have the next request see limits that were changed here."""
        self._limits.forget()

    def _tidy(self) -> None:
        """Forget those of tenants that have used nothing lately: a gateway may name any number."""
        if len(self._quotas) < self._tidy_at:
            return
        for tenant, quota in list(self._quotas.items()):
            if quota.is_unused:
                self._quotas.pop(tenant, None)
        self._tidy_at = 2 * len(self._quotas) + FEW

    def _limits_of(self, tenant: str) -> Limits:
        own = self._known.get(tenant)
        return self._defaults if own is None else own.over(self._defaults)


def duration(seconds: float) -> str:
    """Return a duration as OpenAI's headers have it, such as `1s` or `6m0s`."""
    whole = max(0, math.ceil(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _over(param: str, rate: str, wait_s: float) -> ApiError:
    words = f"this tenant may have {rate} ({param}); try again in {duration(wait_s)}"
    return ApiError(429, words, retry_after_s=wait_s)
