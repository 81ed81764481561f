"""What of a request of `/v1/responses` vLLM is not told: whose it is, and what becomes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from memory.history.stored_response import SAID, StoredResponse, Written
from server.requests.earlier_turns import Earlier
from server.requests.kept_items import kept_items, said_items
from server.requests.request_context import ARRIVAL
from server.tenancy.principal import tenant_of


def _future() -> asyncio.Future[bool]:
    return asyncio.get_running_loop().create_future()


@dataclass
class Asking:
    """One request on its way through the handler."""

    tenant: str = ""
    is_kept: bool = False
    """Whether its response is to be stored."""
    asked: Any = ()
    """The input, as the client sent it."""
    earlier: Earlier = field(default_factory=Earlier)
    queued: Any = None
    """The response, where it is made in the background."""
    begun: asyncio.Future[bool] = field(default_factory=_future)
    """Whether a response that is made in the background is stored, and may begin to be made."""

    @classmethod
    def of(cls, request: Any, raw_request: Any) -> Asking:
        """Return what stands in the request as it came in; nothing of one that the server makes."""
        arrival = None if raw_request is None else raw_request.scope.get(ARRIVAL)
        if arrival is None:
            return cls()
        tenant = tenant_of(raw_request.scope)
        return cls(tenant, bool(request.store), arrival.asked or (), arrival.earlier)

    def begin(self, may: bool) -> None:
        """Let the making begin, or not; the first word counts."""
        if not self.begun.done():
            self.begun.set_result(may)

    def written(self, response: Any) -> Written:
        """Return a response as it is to be stored; of a long input, not on the event loop."""
        body = response.model_dump(mode="json", by_alias=True)
        made = StoredResponse(
            id=response.id,
            tenant=self.tenant,
            status=response.status,
            body=body,
            previous_id=self.earlier.previous_id,
            conversation_id=self.earlier.conversation_id,
        )
        said = said_items(body) if response.status in SAID else ()
        return Written(made, kept_items(self.asked), said, self.is_kept)
