"""Before vLLM's generation routes: takes the `adaptation` object off the request, and checks it.

Its body is parsed here, once: the route is given what was parsed (`gateway.routes`). Pure ASGI:
`BaseHTTPMiddleware` would hide disconnects and buffer streams. What comes back is no concern of it,
but for the headers that the handler asks for.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from adaptation.errors import AdaptationError, DeadlineError
from adaptation.verifiers import build_verifiers
from memory.errors import WhetMemoryError
from server.config import Settings
from server.http.replay import replayed
from server.http.report_headers import with_headers
from server.http.request_body import BODY, Body
from server.refusals.errors import ApiError, api_error, unknown_model
from server.requests.adaptation_request import take_context, take_nothing
from server.requests.earlier_turns import Earlier, Recall, take_earlier
from server.requests.models_asked import ModelsAsked
from server.requests.openai_form import drop_nulls
from server.requests.request_context import (
    ARRIVAL,
    CHAT,
    COMPLETIONS,
    RESPONSES,
    Arrival,
    RequestContext,
    route_path,
)
from server.tenancy.principal import tenant_of

ADAPTED_PATHS = frozenset({CHAT, COMPLETIONS, RESPONSES})
INVOCATIONS = "/invocations"
"""SageMaker's, whose requests name an adapter in a header."""
ADAPTER_HEADER = "X-Amzn-SageMaker-Adapter-Identifier"
PLAIN_PATHS = frozenset(
    {"/v1/messages", INVOCATIONS, "/v1/chat/completions/batch", "/generative_scoring"}
)
"""Generation routes that vLLM serves alone."""
CHECKED_PATHS = frozenset({"/v1/embeddings", "/v1/messages/count_tokens", "/tokenize"})
"""Routes of others whose bodies go through a tokenizer: looked at, and passed on as they are."""
TAKEN_PATHS = ADAPTED_PATHS | PLAIN_PATHS | CHECKED_PATHS


class AdaptationMiddleware:
    """Makes what a request asks for known to the handler that answers it."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        salt_of: Callable[[str], str],
        recall: Recall,
        models: ModelsAsked,
    ) -> None:
        """Take what tells of a tenant.

        `salt_of` returns the salt that separates the tenant's prefix cache from all others.
        `recall` returns the conversation that a response continues. `models` are those
        that may be asked for.
        """
        self._recall, self._models = recall, models
        self._app = app
        self._settings = settings
        self._salt_of = salt_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        path = route_path(scope) if scope["type"] == "http" else None
        if path not in TAKEN_PATHS:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            raw = await request.body()
            arrival = await self._take(path, scope.get(BODY) or Body(raw), tenant_of(scope))
        except (ApiError, AdaptationError, WhetMemoryError) as error:
            await api_error(error).response()(scope, receive, send)
            return
        if path not in CHECKED_PATHS:
            scope = _renamed(scope)
        if arrival is not None:
            scope, send = {**scope, ARRIVAL: arrival}, with_headers(send, arrival)
        await self._app(scope, replayed(raw, receive), send)

    async def _take(self, path: str, given: Body, tenant: str) -> Arrival | None:
        """Return what the route is given in place of the text, None where that is no object."""
        body = given.take()
        await asyncio.sleep(0)  # of a long text, each step takes long enough
        if body is None and path == INVOCATIONS:
            raise ApiError(400, "The request body must be a JSON object")
        if body is None:
            return None  # the route words the refusal
        if path in CHECKED_PATHS:
            return Arrival(body, None)
        drop_nulls(body)
        body.pop("cache_salt", None)
        salt = {"cache_salt": self._salt_of(tenant)}
        if path in PLAIN_PATHS:
            take_nothing(path, body)
            self._refuse_unread_model(path, body.get("model"))
            body.update(salt)
            return Arrival(body, None)
        self._models.refuse_unknown_strategy(body.get("model"))
        earlier = Earlier()
        if path == RESPONSES:
            earlier = await take_earlier(body, tenant, self._recall)
        context = take_context(path, body, self._settings, tenant, earlier)
        if context is not None and context.model is not None:
            context = await self._with_model(tenant, context, context.model)
        if context is not None and context.options.verifiers:
            context = await _with_verifiers(context)
        body.update(salt)
        return Arrival(body, context, earlier, body.get("input"))

    def _refuse_unread_model(self, path: str, model: object) -> None:
        """Refuse a name that vLLM passes over, to answer with what the tenant is served with."""
        if path == INVOCATIONS and model is not None and not self._models.is_base(str(model)):
            why = f"{path} takes an adapter's name from the header `{ADAPTER_HEADER}`"
            raise unknown_model(str(model), why)

    async def _with_model(self, tenant: str, context: RequestContext, model: str) -> RequestContext:
        if self._models.is_base(model):  # the base's name may end as a generation's
            return replace(context, model=None)
        if not await self._models.has_own(tenant, model):
            raise unknown_model(model)
        return context


async def _with_verifiers(context: RequestContext) -> RequestContext:
    """Build what the request asks for; raises AdaptationError."""
    left_s = context.deadline - time.monotonic()
    try:
        async with asyncio.timeout(None if left_s == math.inf else left_s):
            verifiers = await build_verifiers(context.options.verifiers)
    except TimeoutError as error:
        raise DeadlineError("the deadline passed before the verifiers were built") from error
    return replace(context, verifiers=verifiers)


def _renamed(scope: Scope) -> Scope:
    # vLLM would make the completion's id of the client's request id, which need not be unique.
    headers = [(name, value) for name, value in scope["headers"] if name != b"x-request-id"]
    return {**scope, "headers": headers}
