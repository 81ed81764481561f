"""`/console`: the web page, `/`, which leads there, and what it shows first."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from server.console.page import INDEX, Page
from server.overview import Overview
from server.tenancy.principal import Caller

CONSOLE = "/console"
ADDRESSES = {"api": "/v1", "console": CONSOLE, "docs": "/docs", "openapi": "/openapi.json"}


def console_router(page: Page, overview: Overview) -> APIRouter:
    """Return the routes; those of the page are open to everybody, and hold no data."""
    router = APIRouter()

    async def lead(request: Request) -> Response:
        """Send a browser to the page, and tell everybody else what is where."""
        root = _root(request)
        varies = {"vary": "accept"}
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"{root}{CONSOLE}", 307, varies)
        places = {name: f"{root}{path}" for name, path in ADDRESSES.items()}
        return JSONResponse({"object": "server", **places}, headers=varies)

    async def index(request: Request) -> Response:
        """Return the page."""
        return page.response(INDEX, request)

    async def file(request: Request) -> Response:
        """Return a file of the page."""
        name = request.path_params["path"]
        if name not in ("", INDEX):
            return page.response(name, request)
        return RedirectResponse(f"{_root(request)}{CONSOLE}", 307)  # its addresses are relative

    @router.get("/v1/console", tags=["status"])
    async def first_view(caller: Caller) -> dict[str, Any]:
        """Say what is served, in whose name the key asks, and how much the tenant has."""
        return await overview.of(caller)

    for path, answer in (("/", lead), (CONSOLE, index), (f"{CONSOLE}/{{path:path}}", file)):
        router.add_route(path, answer, include_in_schema=False)  # HEAD too
    return router


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")
