"""A request for which nobody waits is sent again where there was no room for it."""

from __future__ import annotations

import asyncio
from typing import Protocol

import httpx

from server.http.request_body import Body

LEAST_WAIT_S, MOST_WAIT_S = 1.0, 60.0
"""Before a request that found no room is sent again."""
MOST_TRIES = 20
"""Most tries of a request that is answered 503: what is wrong then may stay so."""


class Post(Protocol):
    """Answers a request of a tenant's."""

    async def __call__(self, tenant: str, path: str, body: Body) -> httpx.Response:
        """Return the answer."""
        ...


async def answered(post: Post, tenant: str, path: str, body: Body) -> httpx.Response:
    """Return the answer to a request, which waits as long as its tenant is over a limit."""
    wait_s, tries = LEAST_WAIT_S, 0
    while True:
        response = await post(tenant, path, body)
        tries += response.status_code == 503
        if response.status_code not in (429, 503) or tries >= MOST_TRIES:
            return response
        told = response.headers.get("retry-after", "")
        wait_s = min(MOST_WAIT_S, max(2 * wait_s, float(told) if told.isdigit() else 0.0))
        await asyncio.sleep(wait_s)
