"""A place for every request at work: whoever comes when all are taken is told to come back.

vLLM's own queue has no end: without this, a flood is answered by everybody's timeouts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.adaptation_middleware import ADAPTED_PATHS, PLAIN_PATHS
from server.errors import RETRY_AFTER_S, STOPPING, ApiError
from server.request_context import route_path

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
    """Answers 429 beyond `places` requests at a time, and tells each how many are left.

    OpenAI's headers `x-ratelimit-*-requests` count places here, not requests a minute: a place is
    free again when a response ends or its client leaves.
    """

    def __init__(
        self,
        app: ASGIApp,
        places: int,
        occupancy: Occupancy | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """`occupancy` is kept, for others to look at too.

        While the server `is_stopping`, nobody is let in.
        """
        self._is_stopping = is_stopping
        self._app = app
        self._places = places
        self._occupancy = occupancy or Occupancy()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or route_path(scope) not in ADMITTED_PATHS:
            await self._app(scope, receive, send)
        elif self._is_stopping():
            await ApiError(503, STOPPING).response()(scope, receive, send)
        elif self._occupancy.taken >= self._places:
            await self._refusal().response()(scope, receive, self._telling(send))
        else:
            self._occupancy.connected += 1
            try:
                await self._app(scope, receive, self._telling(send))
            finally:
                self._occupancy.connected -= 1

    def _refusal(self) -> ApiError:
        what = f"The server is at work on {self._places} requests, its most at a time"
        return ApiError(429, f"{what} (max_concurrent_requests); try again in a moment")

    def _telling(self, send: Send) -> Send:
        left = max(0, self._places - self._occupancy.taken)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-ratelimit-limit-requests"] = str(self._places)
                headers["x-ratelimit-remaining-requests"] = str(left)
                headers["x-ratelimit-reset-requests"] = "0s" if left else f"{RETRY_AFTER_S}s"
            await send(message)

        return tell
