"""Which route asks for which access: every route of the application has a line of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.routing import Mount, Route
from starlette.types import Scope

from server.tenancy.doors import DOORS, Doors
from server.tenancy.principal import Access
from tests.server.composed import Reply, composed


async def leak() -> None: ...


MOUNTED = "/static"
# Those without parameters first, as applications have them.
EVERY = [Route(path, leak) for path in sorted(DOORS, key=lambda path: "{" in path)]
EVERY.append(Mount(MOUNTED, leak))


def request(method: str, path: str) -> Scope:
    return {"type": "http", "method": method, "path": path, "headers": []}


async def test_every_route_of_the_application_is_in_the_table(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_SERVER_DEV_MODE", "1")
    monkeypatch.setenv("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "1")
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("")) as server:
        assert {getattr(route, "path", None) for route in server.app.routes} - DOORS.keys() == set()


@pytest.mark.parametrize(
    ("method", "path", "least"),
    [
        ("GET", "/health", Access.PUBLIC),
        ("POST", "/v1/chat/completions", Access.USER),
        ("POST", "/invocations", Access.USER),
        ("POST", "/tokenize", Access.USER),
        ("GET", "/v1/models/a/b:ttt", Access.USER),
        ("GET", "/v1/memory/records", Access.REVIEWER),
        ("DELETE", "/v1/memory/records/rec_1", Access.REVIEWER),
        ("GET", "/v1/ledger", Access.REVIEWER),
        ("HEAD", "/v1/ledger", Access.REVIEWER),
        ("POST", "/v1/ledger", Access.ADMIN),
        ("PUT", "/v1/ledger", Access.OPERATOR),
        ("POST", "/v1/memory/import", Access.ADMIN),
        ("POST", "/v1/adapters/rollback", Access.ADMIN),
        ("POST", "/v1/adapters/ad_1/promote", Access.ADMIN),
        ("GET", "/metrics", Access.OPERATOR),
        ("GET", "/static/swagger.js", Access.USER),
        ("POST", "/scale_elastic_ep", Access.ENGINE),
        ("GET", "/no/such/route", Access.USER),
    ],
)
def test_a_request_needs_what_its_line_says(method: str, path: str, least: Access) -> None:
    assert Doors(EVERY).least(request(method, path)) is least


def test_a_route_without_a_line_is_the_operators() -> None:
    doors = Doors([Route("/new/{name}", leak), Route("/other", leak)])
    assert doors.least(request("GET", "/new/thing")) is Access.OPERATOR
    assert doors.least(request("GET", "/other")) is Access.OPERATOR


def test_a_pattern_of_a_routes_own_has_its_line() -> None:
    """vLLM's mount of the metrics answers whatever begins like it."""
    metrics = Mount("/metrics", leak)
    metrics.path_regex = re.compile("^/metrics(?P<path>.*)$")
    for path in ("/metrics", "/metrics/", "/metricsX", "/metrics\n"):
        assert Doors([metrics]).least(request("GET", path)) is Access.OPERATOR


def test_the_path_is_the_one_behind_the_proxys_prefix() -> None:
    behind = request("GET", "/whet/metrics") | {"root_path": "/whet"}
    assert Doors(EVERY).least(behind) is Access.OPERATOR
