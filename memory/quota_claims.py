"""How servers share one tenant's limits: each says what it used and wants, and is given some.

Rates follow the generic cell rate algorithm (ITU-T I.371), which keeps of a bucket one moment:
when it will be full. What is given was taken out of the bucket, so that servers never let in more
requests than a limit has, however many they are. Knows nothing of where counts are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from memory.tenants import Limits

DAY_S = 86_400
MINUTE_S = 60.0
LEASE_S = 5.0
"""A server that is not heard of for so long is gone, and its places are free."""
DIGITS = 3
"""Of what is left: moments in Unix seconds are exact to a quarter of a microsecond."""


@dataclass(frozen=True)
class Claim:
    """What a server used of a tenant's limits since its last claim, and what it wants."""

    limits: Limits
    requests: int = 0
    """let in without leave; below 0: leave that is given back"""
    more_requests: int = 0
    tokens: int = 0
    steps: int = 0
    at_work: int = 0
    """requests at work there"""
    more_places: int = 0
    """for requests that are to begin"""


@dataclass(frozen=True)
class Grant:
    """What a server gets, and what it should know of the others."""

    requests: int
    """that it may let in"""
    requests_left: float
    """for whoever asks next; below 0: owed"""
    tokens_left: float
    places: int
    """that it has, those of requests at work included"""
    places_elsewhere: int
    day: int
    steps: int
    """trained this day, on all servers"""


@dataclass(frozen=True)
class Count:
    """What all servers together have used of a tenant's limits."""

    requests_full_at: float = 0.0
    tokens_full_at: float = 0.0
    day: int = 0
    steps: int = 0
    places: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """by server: how many, and until when"""


def settled(count: Count, server: str, claim: Claim, now: float) -> tuple[Count, Grant]:
    """Return a tenant's count after a server's claim, and what the server gets.

    `now` is in Unix seconds, by the one clock that all servers share.
    """
    rates = claim.limits.requests_per_minute, claim.limits.tokens_per_minute
    requests_full_at = _after(count.requests_full_at, claim.requests, rates[0], now)
    given = min(claim.more_requests, math.floor(_left(requests_full_at, rates[0], now)))
    requests_full_at = _after(requests_full_at, max(0, given), rates[0], now)
    tokens_full_at = _after(count.tokens_full_at, claim.tokens, rates[1], now)
    elsewhere = {
        name: (places, until)
        for name, (places, until) in count.places.items()
        if until > now and name != server
    }
    taken = sum(places for places, _ in elsewhere.values())
    places = _places(claim, taken)
    own = {server: (places, now + LEASE_S)} if places else {}
    day = int(now // DAY_S)
    steps = claim.steps + (count.steps if count.day == day else 0)
    grant = Grant(
        requests=max(0, given),
        requests_left=_left(requests_full_at, rates[0], now),
        tokens_left=_left(tokens_full_at, rates[1], now),
        places=places,
        places_elsewhere=taken,
        day=day,
        steps=steps,
    )
    return Count(requests_full_at, tokens_full_at, day, steps, {**elsewhere, **own}), grant


def _left(full_at: float, per_minute: int | None, now: float) -> float:
    """Return what is in a bucket; nothing is asked of one without a limit."""
    if per_minute is None:
        return 0.0
    return round(per_minute * (1 - max(0.0, full_at - now) / MINUTE_S), DIGITS)


def _after(full_at: float, units: int, per_minute: int | None, now: float) -> float:
    """Return when a bucket will be full after units were taken, or given back."""
    if per_minute is None:
        return full_at
    return max(full_at, now) + units * MINUTE_S / per_minute


def _places(claim: Claim, elsewhere: int) -> int:
    """Return how many places a server has; those of requests at work are never taken away."""
    most, wanted = claim.limits.concurrent_requests, claim.at_work + claim.more_places
    if most is None:
        return 0
    return max(claim.at_work, min(wanted, most - elsewhere))
