"""A place for every request at work, within its tenant's quota and the server's.

Whoever comes over a quota gets 429, whoever comes when all places are taken 503, both at once.
vLLM's own queue has no end: without this, a flood is answered by everybody's timeouts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory.errors import WhetMemoryError
from memory.tenants import Limits
from server.config import DEFAULT_TENANT
from server.http.adaptation_middleware import ADAPTED_PATHS, PLAIN_PATHS
from server.refusals.errors import RESTARTING, RETRY_AFTER_S, STOPPING, ApiError, api_error
from server.refusals.refusal import Refusal
from server.requests.request_context import route_path
from server.tenancy.principal import is_in_batch, tenant_of
from server.tenancy.quota import Quota
from server.tenancy.quotas import Quotas

WITHOUT_ENGINE = frozenset(
    {
        "/v1/embeddings",
        "/v1/messages/count_tokens",
        "/tokenize",
        "/detokenize",
        "/v1/chat/completions/render",
        "/v1/chat/completions/derender",
        "/v1/completions/render",
        "/v1/completions/derender",
        "/v1/messages/render",
        "/v1/responses/render",
    }
)
"""What the embedder or the tokenizer answers: they are shared as the engine is."""
ADMITTED_PATHS = ADAPTED_PATHS | PLAIN_PATHS | WITHOUT_ENGINE
Refused = Callable[[int], object]
"""Told the status of each request that is refused."""


class Occupancy:
    """How many requests are at work, also those for which no connection waits."""

    def __init__(self, in_background: Callable[[], Collection[str]] = lambda: ()) -> None:
        """`in_background` returns the tenant of each response that is made in the background."""
        self.connected = 0
        self._in_background = in_background

    @property
    def taken(self) -> int:
        """Return how many places are taken."""
        return self.connected + len(self._in_background())

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Hold a place for the length of the block."""
        self.connected += 1
        try:
            yield
        finally:
            self.connected -= 1

    def in_background_of(self, tenant: str) -> int:
        """Return how many requests a tenant does not wait for."""
        return sum(each == tenant for each in self._in_background())


@dataclass(frozen=True)
class Away:
    """What nobody can be served without, and may be away."""

    is_stopping: Callable[[], bool] = lambda: False
    engine_wait_s: Callable[[], float | None] = lambda: None
    """Seconds until there is an engine again; None: there is one."""

    def refuse(self, path: str) -> None:
        """Raise `ApiError` (503) for a request that cannot be served now."""
        if self.is_stopping():
            raise ApiError(503, STOPPING)
        wait_s = self.engine_wait_s()
        if wait_s is not None and path not in WITHOUT_ENGINE:
            raise ApiError(503, RESTARTING, retry_after_s=wait_s)


def full(places: int) -> ApiError:
    """Return what is said where all places are taken."""
    what = f"The server is at work on {places} requests, its most at a time"
    return ApiError(503, f"{what} (max_concurrent_requests); try again in a moment")


class Turnstile:
    """Refuses whoever `Admission` would refuse for want of a place or an engine, before any work.

    It stands before keys are looked up and bodies are read, and nobody rewrites its answers: under
    ten times the load that can be answered, most of the work is refusals. Whoever passes may still
    find no place further on.
    """

    def __init__(
        self,
        app: ASGIApp,
        places: int,
        occupancy: Occupancy,
        away: Away,
        refused: Refused = lambda status: None,
    ) -> None:
        """`places` and `occupancy` are those of `Admission`."""
        self._app, self._places, self._occupancy, self._away = app, places, occupancy, away
        self._refused, self._full = refused, Refusal(full(places))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and (path := route_path(scope)) in ADMITTED_PATHS:
            refusal = self._refusal(path)
            if refusal is not None:
                self._refused(refusal.status)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, path: str) -> Refusal | None:
        try:
            self._away.refuse(path)
        except ApiError as error:
            return Refusal(error)
        return self._full if self._occupancy.taken >= self._places else None


class Admission:
    """Refuses beyond quotas and `places`, and tells each request how much is left.

    OpenAI's headers `x-ratelimit-*` tell the tenant's rates where it has limits. Without a limit on
    requests the default tenant's count places, not requests a minute: a place is free again when a
    response ends or its client leaves.
    """

    def __init__(
        self,
        app: ASGIApp,
        places: int,
        occupancy: Occupancy | None = None,
        quotas: Quotas | None = None,
        away: Away | None = None,
        refused: Refused = lambda status: None,
    ) -> None:
        """`occupancy` is kept, for others to look at too.

        Nobody is let in while what is needed is `away`. Without `quotas` nobody has any.
        """
        self._away = away or Away()
        self._refused = refused
        self._app = app
        self._places = places
        self._occupancy = occupancy or Occupancy()
        self._quotas = quotas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or route_path(scope) not in ADMITTED_PATHS:
            await self._app(scope, receive, send)
            return
        quota, tenant, in_batch = Quota(Limits()), DEFAULT_TENANT, False
        try:
            if self._quotas is not None:
                tenant, in_batch = tenant_of(scope), is_in_batch(scope)
                quota = await self._quotas.entering(tenant)
            self._away.refuse(route_path(scope))
            if self._occupancy.taken >= self._places:
                raise full(self._places)
            in_background = self._occupancy.in_background_of(tenant)
            request = quota.begin(in_background, in_batch=in_batch)
            if self._quotas is not None:
                self._quotas.begun(tenant)
        except (ApiError, WhetMemoryError) as raised:
            error = api_error(raised)
            self._refused(error.status)
            await error.response()(scope, receive, self._telling(tenant, quota, send))
            return
        with request, self._occupancy.one_more():
            await self._app(scope, receive, self._telling(tenant, quota, send))

    def _telling(self, tenant: str, quota: Quota, send: Send) -> Send:
        # How many places others leave is no business of a customer.
        places = self._left() if tenant == DEFAULT_TENANT else {}

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**places, **quota.headers()})
                wait_s = self._away.engine_wait_s()
                if message["status"] == HTTPStatus.SERVICE_UNAVAILABLE and wait_s is not None:
                    headers["retry-after"] = str(round(wait_s))
            await send(message)

        return tell

    def _left(self) -> Mapping[str, str]:
        left = max(0, self._places - self._occupancy.taken)
        return {
            "x-ratelimit-limit-requests": str(self._places),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": "0s" if left else f"{RETRY_AFTER_S}s",
        }
