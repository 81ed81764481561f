"""What one tenant has used of its limits, on this server.

Requests and their number at a time are counted before they begin, tokens and training steps when
they are known: so a tenant may go over by what is under way, and waits the longer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from memory.tenants import Limits
from server.refusals.errors import ApiError
from server.tenancy.buckets import Bucket
from server.tenancy.records_left import DAY_S

BATCH_SHARE = 0.5
"""Share of a limit that requests may use which nobody waits for."""
MOMENT_S = 1.0
"""What is said to whoever may come again in a moment."""
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
        self._tokens = self._bucket(limits.tokens_per_minute, of_tokens=True)

    def update(self, limits: Limits) -> None:
        """Go on under other limits; a rate that stays goes on from where it was."""
        if limits.requests_per_minute != self.limits.requests_per_minute:
            self._requests = self._bucket(limits.requests_per_minute)
        if limits.tokens_per_minute != self.limits.tokens_per_minute:
            self._tokens = self._bucket(limits.tokens_per_minute, of_tokens=True)
        self.limits = limits

    def begin(
        self, in_background: int = 0, *, in_batch: bool = False
    ) -> AbstractContextManager[None]:
        """Return what counts a request for as long as it is at work; raises `ApiError` (429).

        So many more are at work without a client that waits. One of a batch leaves half of every
        limit to those that somebody waits for.
        """
        self._check(self._at_work + in_background, BATCH_SHARE if in_batch else 1.0)
        self._enter()
        return self._at_work_until_left()

    @contextmanager
    def _at_work_until_left(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._leave()

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

    def _enter(self) -> None:
        if self._requests is not None:
            self._requests.take(1)
        self._at_work += 1

    def _leave(self) -> None:
        self._at_work -= 1

    def _check(self, at_work: int, share: float) -> None:
        most = self._most_at_work(share)
        if most is not None and at_work >= most:
            at_a_time = f"{self.limits.concurrent_requests} requests at a time"
            raise _over("concurrent_requests", at_a_time, MOMENT_S)
        for name, bucket in (("requests", self._requests), ("tokens", self._tokens)):
            if bucket is not None and not bucket.has(least := bucket.least(share)):
                rate = f"{bucket.per_minute} {name} a minute"
                raise _over(f"{name}_per_minute", rate, bucket.wait_s(least) or MOMENT_S)

    def _most_at_work(self, share: float) -> int | None:
        """Return how many requests may be at work here, of those that may use such a share."""
        most = self.limits.concurrent_requests
        return None if most is None else max(1, int(most * share))

    def _bucket(self, per_minute: int | None, *, of_tokens: bool = False) -> Bucket | None:
        return None if per_minute is None else Bucket(per_minute, self._clock)

    def _trained_today(self) -> int:
        day = int(self._now() // DAY_S)
        if day != self._day:
            self._day, self._trained = day, 0
        return self._trained


def duration(seconds: float) -> str:
    """Return a duration as OpenAI's headers have it, such as `1s` or `6m0s`."""
    whole = max(0, math.ceil(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _over(param: str, rate: str, wait_s: float) -> ApiError:
    words = f"this tenant may have {rate} ({param}); try again in {duration(wait_s)}"
    return ApiError(429, words, retry_after_s=wait_s)
