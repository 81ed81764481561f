"""The tables of routes, from the application itself, composed on an engine without a model."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute

from docs.generate.markdown import table
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES
from server.tenancy.doors import DOORS
from server.tenancy.principal import Access

AUTOMATIC = {"HEAD", "OPTIONS"}
ADAPTED = (CHAT, COMPLETIONS, RESPONSES)
"""Routes of vLLM's whose handlers are ours."""


def write() -> str:
    """Return the tables of a server with everything its operator may switch on."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_SERVER_DEV_MODE", "1")
        patch.setenv("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "1")
        return asyncio.run(_of_server(Path(folder), patch))


async def _of_server(folder: Path, patch: pytest.MonkeyPatch) -> str:
    from tests.server.composed import Reply, composed  # vLLM, which takes seconds to import

    async with composed(folder, patch, lambda _: Reply("")) as server:
        return of_routes(server.app.routes)


def of_routes(routes: Sequence[BaseRoute]) -> str:
    """Return a table of Whet's routes and one of vLLM's, each with whom it asks for."""
    answered = sorted(_answered(routes), key=lambda row: row[0].partition(" ")[::-1])
    ours = [(place, access, told) for place, access, told in answered if told]
    theirs = [(place, access) for place, access, told in answered if not told]
    return "\n".join(
        (
            table(("route", "asks for", "does"), ours),
            "## vLLM's own\n",
            table(("route", "asks for"), theirs),
        )
    )


def _answered(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str, str]]:
    """Yield method and path, access and meaning of what the first route to match answers."""
    seen = set()
    for route in routes:
        path = str(getattr(route, "path", ""))
        for method in sorted(set(getattr(route, "methods", None) or {"GET"}) - AUTOMATIC):
            if (method, path) not in seen:
                seen.add((method, path))
                yield f"`{method} {path}`", _access(DOORS[path], method), _told(route)


def _access(door: Access | Mapping[str, Access], method: str) -> str:
    access = door if isinstance(door, Access) else door.get(method, Access.OPERATOR)
    return access.name.lower()


def _told(route: BaseRoute) -> str:
    """Return the first paragraph of what Whet says of a route; nothing of one of vLLM's."""
    if getattr(route, "path", "") in ADAPTED:
        return "Answer by the strategy asked for, with a report of how."
    endpoint: Any = getattr(route, "endpoint", None)
    if not getattr(endpoint, "__module__", "").startswith("server."):
        return ""
    if not endpoint.__doc__:
        raise LookupError(f"{route} has no docstring to be told by")
    return " ".join(str(endpoint.__doc__).split("\n\n")[0].split())
