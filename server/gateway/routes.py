"""Routes that are given the body as it was parsed on its way in: JSON is read once.

A route knows nothing of what was taken off the body.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from server.http.replay import replayed
from server.requests.request_context import ARRIVAL, Arrival


class ParsedRequest(Request):
    """A request whose JSON is there already."""

    async def json(self) -> Any:
        """Return the parsed body."""
        arrival: Arrival | None = self.scope.get(ARRIVAL)
        return await super().json() if arrival is None else arrival.body


class ParsedRoute(APIRoute):
    """A route that does not parse again."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def handle_parsed(request: Request) -> Response:
            # The one who is told of an error reads the body of the request that came in.
            body = await request.body()
            return await handle(ParsedRequest(request.scope, replayed(body, request.receive)))

        return handle_parsed


def parse_once(app: FastAPI, paths: Collection[str]) -> None:
    """Put such routes in place of those that are there."""
    routes = app.router.routes
    for place, route in enumerate(routes):
        if isinstance(route, APIRoute) and route.path in paths and "POST" in route.methods:
            routes[place] = ParsedRoute(
                route.path,
                route.endpoint,
                methods=route.methods,
                name=route.name,
                tags=route.tags,
                dependencies=route.dependencies,
                responses=route.responses,
                generate_unique_id_function=route.generate_unique_id_function,
            )
