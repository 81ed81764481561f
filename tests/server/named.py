"""A tenant for what is tested without the check of keys."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

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


def is_m(model: str) -> bool:
    """Only `m` is served."""
    return model == "m"


async def no_model(tenant: str, model: str) -> bool:
    """No fine-tuned model is anybody's."""
    return False
