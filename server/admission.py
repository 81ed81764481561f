"""A place for every request at work, within its tenant's quota and the server's.

Whoever comes over a quota gets 429, whoever comes when all places are taken 503, both at once.
vLLM's own queue has no end: without this, a flood is answered by everybody's timeouts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory.errors import WhetMemoryError
from memory.tenants import Limits
from server.adaptation_middleware import ADAPTED_PATHS, PLAIN_PATHS
from server.errors import RETRY_AFTER_S, STOPPING, ApiError, api_error
from server.request_context import route_path
from server.tenancy.principal import tenant_of
from server.tenancy.quotas import Quota, Quotas

ADMITTED_PATHS = ADAPTED_PATHS | PLAIN_PATHS | {"/v1/embeddings"}


class Occupancy:
    """How many requests are at work, also those for which no connection waits."""

    def __init__(self, in_background: Collection[str] = ()) -> None:
        self.connected = 0
        self._in_background = in_background

    @property
    def taken(self) -> int:
        """Of the places."""
        return self.connected + len(self._in_background)


class Admission:
    """Refuses beyond quotas and `places`, and tells each request how much is left.

    OpenAI's headers `x-ratelimit-*` tell the tenant's rates where it has limits. Without a limit on
    requests they count places, not requests a minute: a place is free again when a response ends or
    its client leaves.
    """

    def __init__(
        self,
        app: ASGIApp,
        places: int,
        occupancy: Occupancy | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
        quotas: Quotas | None = None,
    ) -> None:
        """`occupancy` is kept, for others to look at too.

        While the server `is_stopping`, nobody is let in. Without `quotas` nobody has any.
        """
        self._is_stopping = is_stopping
        self._app = app
        self._places = places
        self._occupancy = occupancy or Occupancy()
        self._quotas = quotas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or route_path(scope) not in ADMITTED_PATHS:
            await self._app(scope, receive, send)
            return
        quota = Quota(Limits())
        try:
            if self._quotas is not None:
                quota = await self._quotas.of(tenant_of(scope))
            self._refuse()
            request = quota.begin()
        except (ApiError, WhetMemoryError) as error:
            await api_error(error).response()(scope, receive, self._telling(quota, send))
            return
        with request:
            await self._admitted(quota, scope, receive, send)

    async def _admitted(self, quota: Quota, scope: Scope, receive: Receive, send: Send) -> None:
        self._occupancy.connected += 1
        try:
            await self._app(scope, receive, self._telling(quota, send))
        finally:
            self._occupancy.connected -= 1

    def _refuse(self) -> None:
        """Raise `ApiError` (503) where there is no place."""
        if self._is_stopping():
            raise ApiError(503, STOPPING)
        if self._occupancy.taken >= self._places:
            what = f"The server is at work on {self._places} requests, its most at a time"
            raise ApiError(503, f"{what} (max_concurrent_requests); try again in a moment")

    def _telling(self, quota: Quota, send: Send) -> Send:
        left = max(0, self._places - self._occupancy.taken)
        places = {
            "x-ratelimit-limit-requests": str(self._places),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": "0s" if left else f"{RETRY_AFTER_S}s",
        }

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**places, **quota.headers()}.items():
                    headers[name] = value
            await send(message)

        return tell
