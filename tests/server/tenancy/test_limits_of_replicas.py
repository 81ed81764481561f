"""Three whole servers over one PostgreSQL: limits hold over all of them, and without it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from loadtests.postgres import ABSENT, Cluster, programs
from server.tenancy.settling import Settling
from tests.server.composed import ASK, Composed, Reply, composed
from tests.server.tenancy.test_tenants_http import Tenant

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server of PostgreSQL that may be stopped."""
    if programs() is None:
        pytest.skip(ABSENT)
    pytest.importorskip("psycopg")
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a slow machine for no database that is away."""
    monkeypatch.setattr("server.tenancy.settling.PATIENCE_S", 60.0)


@pytest.fixture
async def servers(
    own_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Composed]]:
    """Three whole servers over one database."""
    url = own_cluster.database()
    async with AsyncExitStack() as stack:
        made = []
        for name in ("one", "two", "three"):
            folder = tmp_path / name
            folder.mkdir()
            given = {"database_url": url}
            server = composed(folder, monkeypatch, lambda _: Reply("#### 14"), **given)
            made.append(await stack.enter_async_context(server))
        yield made


async def test_three_servers_let_in_what_a_tenant_may_have_and_go_on_without_their_database(
    servers: list[Composed], own_cluster: Cluster
) -> None:
    operator = Tenant(servers[0], "default")
    await operator.ask("PUT", "/v1/admin/tenants/acme", requests_per_minute=9)
    for server in servers:
        server.parts.quotas.forget()
    customers = [Tenant(server, "acme") for server in servers]
    plain = {**ASK, "adaptation": {"strategy": "plain"}}
    begun = time.monotonic()
    asked = [customer.ask("POST", CHAT, **plain) for customer in customers for _ in range(9)]
    answers = await asyncio.gather(*asked)
    statuses = [answer.status_code for answer in answers]
    filled = 9 * (time.monotonic() - begun) / 60
    assert 9 <= statuses.count(200) <= 9 + filled + 1
    assert set(statuses) == {200, 429}
    told = {answer.headers["x-ratelimit-limit-requests"] for answer in answers}
    assert told == {"9"}
    await operator.ask("PUT", "/v1/admin/tenants/globex", requests_per_minute=600)
    for server in servers:
        server.parts.quotas.forget()
    others = [Tenant(server, "globex") for server in servers]
    assert {(await one.ask("POST", CHAT, **plain)).status_code for one in others} == {200}
    own_cluster.stop("immediate")
    try:
        asked = [other.ask("POST", CHAT, **plain) for other in others for _ in range(4)]
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
        assert all(owed_by(server) for server in servers)
    finally:
        own_cluster.start()
    deadline = time.monotonic() + 120
    while any(owed_by(each) or settling(each).company.is_away for each in servers):
        await asyncio.sleep(0.1)
        assert time.monotonic() < deadline, "it goes on by itself"
    assert (await others[0].ask("POST", CHAT, **plain)).status_code == 200


def settling(server: Composed) -> Settling:
    assert server.parts.quotas.settling is not None
    return server.parts.quotas.settling


def owed_by(server: Composed) -> float:
    """What a server let in and has not told."""
    return float(server.parts.quotas.now("globex")._requests.owed)  # type: ignore[union-attr]
