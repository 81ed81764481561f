"""Limits that several servers of one database hold together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from pathlib import Path

import pytest

from loadtests.postgres import Cluster
from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.quota_claims import LEASE_S, Claim, Grant
from memory.quota_counts import QuotaCounts
from memory.tenants import Limits
from server.refusals.errors import ApiError
from server.tenancy import settling
from server.tenancy.quotas import Quotas
from server.tenancy.settling import Settling

ALIVE = 3


class Line:
    """The counts as one server reaches them: a line that can be cut."""

    def __init__(self, counts: QuotaCounts) -> None:
        self._counts, self.is_cut, self.rounds = counts, False, 0

    def settle(self, server: str, claims: Mapping[str, Claim]) -> dict[str, Grant]:
        if self.is_cut:
            raise StorageUnavailableError("not reachable")
        self.rounds += 1
        return self._counts.settle(server, claims)

    def servers(self) -> int:
        return ALIVE

    def tidy(self) -> int:
        return 0


class Server:
    """What of a server counts requests."""

    def __init__(self, memory: LongTermMemory, limits: Limits) -> None:
        self.line = Line(memory.quota_counts)
        self.quotas = Quotas(memory.tenants, limits, memory.aside.reading, self.line)  # type: ignore[arg-type]
        assert self.quotas.settling is not None
        self.settling: Settling = self.quotas.settling

    async def begun(self) -> AbstractContextManager[None] | None:
        """Begin a request; None where it is refused."""
        quota = await self.quotas.entering("acme")
        with suppress(ApiError):
            return quota.begin()
        return None

    async def answered(self) -> bool:
        request = await self.begun()
        if request is None:
            return False
        with request:
            return True


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a slow machine for no database that is away."""
    monkeypatch.setattr(settling, "PATIENCE_S", 60.0)


@pytest.fixture
def memory(data_dir: Path) -> Iterator[LongTermMemory]:
    with closing(LongTermMemory.open(data_dir, HashingEmbedder())) as opened:
        yield opened


def three(memory: LongTermMemory, **limits: int) -> list[Server]:
    return [Server(memory, Limits(**limits)) for _ in range(ALIVE)]


@pytest.mark.parametrize("limit", [1, 40])
async def test_a_flood_at_three_servers_gets_what_one_server_would_let_in(
    memory: LongTermMemory, limit: int
) -> None:
    servers, begun = three(memory, requests_per_minute=limit), time.monotonic()
    asked = [server.answered() for server in servers for _ in range(400)]
    answers = await asyncio.gather(*asked)
    filled = limit * (time.monotonic() - begun) / 60
    assert limit <= sum(answers) <= limit + filled + 1
    rounds = sum(server.line.rounds for server in servers)
    assert rounds <= 3 * (4 + 2 * filled), "whoever is refused does not ask again and again"


async def test_whoever_has_used_little_asks_the_database_rarely(memory: LongTermMemory) -> None:
    (server, other, _) = three(memory, requests_per_minute=6000)
    for _ in range(400):
        assert await server.answered()
    assert server.line.rounds < 40
    assert await other.answered()
    held = [int(one.quotas.now("acme")._requests.held) for one in (server, other)]  # type: ignore[union-attr]
    assert 0 < sum(held) <= 6000 / 8
    for _ in range(3):
        await server.settling.beat()
        await other.settling.beat()
    assert not any(one.quotas.now("acme")._requests.held for one in (server, other))  # type: ignore[union-attr]
    left = int(other.quotas.now("acme").headers()["x-ratelimit-remaining-requests"])
    assert left == pytest.approx(5599, abs=300), "what was not used was given back"


async def test_nobody_takes_what_another_waits_for(memory: LongTermMemory) -> None:
    server = Server(memory, Limits(requests_per_minute=10**6, concurrent_requests=100))
    server.quotas.now("acme")

    async def client() -> bool:
        return all([await server.answered() for _ in range(50)])

    clients = [asyncio.create_task(client()) for _ in range(8)]
    while not all(each.done() for each in clients):
        server.quotas.now("acme")._known_at = 0.0  # type: ignore[attr-defined]
        await asyncio.sleep(0.001)
    assert all(each.result() for each in clients)


async def test_every_server_tells_what_is_left_of_all(memory: LongTermMemory) -> None:
    servers = three(memory, requests_per_minute=60, tokens_per_minute=6000)
    begun = time.monotonic()
    for used, server in enumerate(servers, start=1):
        requests = await asyncio.gather(*(server.answered() for _ in range(10)))
        assert all(requests)
        server.quotas.spent("acme", 1000)
        await server.settling.beat()
        told, filled = server.quotas.now("acme").headers(), time.monotonic() - begun
        left = (
            int(told["x-ratelimit-remaining-requests"]),
            int(told["x-ratelimit-remaining-tokens"]),
        )
        assert 60 - 10 * used - 6 <= left[0] <= 60 - 10 * used + filled, "or others hold it"
        assert 6000 - 1000 * used <= left[1] <= 6000 - 1000 * used + 100 * filled
    servers[0].quotas.spent("acme", 10**6)
    await servers[0].settling.beat()
    await servers[1].settling.beat()
    await servers[1].settling._settled(["acme"])
    assert not await servers[1].answered(), "tokens that another server spent"


async def test_one_request_after_another_is_never_refused_for_another_servers_place(
    memory: LongTermMemory,
) -> None:
    servers = three(memory, concurrent_requests=1)
    assert all([await servers[n % 3].answered() for n in range(12)])
    request = await servers[0].begun()
    assert request is not None
    with request:
        assert not await servers[1].answered()
        assert not await servers[0].answered()
    assert await servers[1].answered()


async def test_places_are_held_together_and_left_when_a_server_ends(memory: LongTermMemory) -> None:
    servers = three(memory, concurrent_requests=7)
    requests = await asyncio.gather(*(server.begun() for server in servers for _ in range(4)))
    let_in = [request for request in requests if request is not None]
    assert len(let_in) == 7
    with ExitStack() as stack:
        for request in let_in:
            stack.enter_context(request)
        assert not await servers[2].answered()
    for server in servers[:2]:
        await server.quotas.close()
    requests = await asyncio.gather(*(servers[2].begun() for _ in range(9)))
    assert sum(request is not None for request in requests) == 7


async def test_a_response_in_the_background_keeps_its_place_everywhere(
    memory: LongTermMemory,
) -> None:
    first, second, _ = three(memory, concurrent_requests=1)
    first.settling.in_background = lambda tenant: 1
    await first.quotas.of("acme")
    first.settling._claim("acme")
    await first.settling._settled(["acme"])
    assert not await second.answered()
    first.settling.in_background = lambda tenant: 0
    await first.settling.beat()
    assert await second.answered()


async def test_without_the_database_every_server_goes_on_with_its_share(
    memory: LongTermMemory,
) -> None:
    servers = three(memory, requests_per_minute=60, concurrent_requests=9)
    for server in servers:
        assert await server.answered()
        await server.settling._look()
        server.line.is_cut = True
    let_in = [sum([await server.answered() for _ in range(40)]) for server in servers]
    assert sum(let_in) == pytest.approx(60, abs=9)
    for server in servers:
        at_work = await asyncio.gather(*(server.begun() for _ in range(4)))
        assert sum(request is not None for request in at_work) <= 3
        await server.settling.beat()
        assert server.settling.company.is_away, "looking is not counting"
        server.line.is_cut = False
        await server.settling.beat()
        assert not server.settling.company.is_away
    _, grant = (
        None,
        memory.quota_counts.settle("x", {"acme": Claim(Limits(requests_per_minute=60))}),
    )
    assert grant["acme"].requests_left < 5, "what was let in meanwhile was told"


async def test_a_small_limit_lets_somebody_in_without_the_database(memory: LongTermMemory) -> None:
    server = Server(memory, Limits(requests_per_minute=1, concurrent_requests=1))
    server.settling.company.servers, server.line.is_cut = 3, True
    assert await server.answered()
    assert not await server.answered()


async def test_training_steps_of_today_outlive_a_restart(memory: LongTermMemory) -> None:
    first, second, third = three(memory, training_steps_per_day=20)
    assert await first.answered()
    first.quotas.trained("acme", 12)
    assert first.quotas.training_steps("acme") == 8
    await first.quotas.close()
    assert await second.answered()
    assert second.quotas.training_steps("acme") == 8
    second.quotas.trained("acme", 30)
    await second.settling.beat()
    assert await third.answered()
    assert third.quotas.training_steps("acme") == 0


async def test_limits_that_change_hold_on_every_server(memory: LongTermMemory) -> None:
    (first, second, _), begun = three(memory), time.monotonic()
    memory.tenants.set("acme", Limits(requests_per_minute=1))
    for server in (first, second):
        server.quotas.forget()
    assert await first.answered()
    assert not await second.answered()
    memory.tenants.set("acme", Limits(requests_per_minute=600))
    first.quotas.forget()
    await first.answered()
    left = int(first.quotas.now("acme").headers()["x-ratelimit-remaining-requests"])
    assert left <= 1 + 10 * (time.monotonic() - begun), "the share of it that was used is used"
    memory.tenants.set("acme", Limits())
    first.quotas.forget()
    assert await first.answered()


KILLED = """
import asyncio, sys
from pathlib import Path
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.tenants import Limits
from server.tenancy import settling
from server.tenancy.quotas import Quotas

async def main(folder, url):
    memory = LongTermMemory.open(Path(folder), HashingEmbedder(), database_url=url)
    limits, reading = Limits(concurrent_requests=2), memory.aside.reading
    quotas = Quotas(memory.tenants, limits, reading, memory.quota_counts)
    following = asyncio.create_task(quotas.settling.follow())
    requests = [(await quotas.entering("acme")).begin() for _ in range(2)]
    for request in requests:
        request.__enter__()
    print("at work", flush=True)
    await following

asyncio.run(main(*sys.argv[1:]))
"""


async def test_the_places_of_a_killed_server_come_back_within_seconds(
    postgres: Cluster, migrated_url: str, tmp_path: Path
) -> None:
    url = postgres.database(migrated_url)
    memory = LongTermMemory.open(tmp_path / "ours", HashingEmbedder(), database_url=url)
    theirs = (sys.executable, "-c", KILLED, str(tmp_path / "theirs"), url)
    process = await asyncio.create_subprocess_exec(*theirs, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"at work\n"
    server = Server(memory, Limits(concurrent_requests=2))
    await asyncio.sleep(LEASE_S + 1)
    assert not await server.answered(), "it is alive, and says so"
    assert memory.quota_counts.servers() == 2
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    killed = time.monotonic()
    while not await server.answered():  # which pauses before it refuses
        assert time.monotonic() - killed < LEASE_S + 10
    assert memory.quota_counts.servers() == 1
    await server.quotas.close()
    memory.close()
    postgres.drop(url)
