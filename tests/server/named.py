"""A tenant for what is tested without the check of keys."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from server.requests.models_asked import ModelsAsked
from server.tenancy.principal import OPERATOR, PRINCIPAL, Principal


@dataclass(frozen=True)
class Named:
    """Serves everything in one name."""

    app: ASGIApp
    principal: Principal = OPERATOR

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, PRINCIPAL: self.principal}, receive, send)


async def nothing_said(tenant: str, previous: str | None, conversation: str | None) -> tuple[()]:
    """What a server without stored responses recalls."""
    return ()


async def _none(*_: str) -> bool:
    return False


ONLY_M = ModelsAsked(lambda model: model == "m", _none, _none)
"""Only `m` is served, and no fine-tuned model is anybody's."""
NO_MODELS = ModelsAsked(lambda model: False, _none, _none)
