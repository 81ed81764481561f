"""`make load` sees what it is there to see."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import asdict
from pathlib import Path
from subprocess import PIPE, Popen

import psutil
import pytest

from loadtests.load import deaths, overload, restarts, soak
from loadtests.load.wire import Reply, Wire, posting
from loadtests.torture.disconnects import Left, _request
from memory.embedding.embedder import create_embedder

ASKED = posting("/v1/chat/completions", {"model": "any"})


@asynccontextmanager
async def answering(status: int, ready: bool = True, slow_s: float = 0.0) -> AsyncIterator[int]:
    """A server of one answer; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            while head := await reader.read(65_536):
                is_look = head.startswith(b"GET /ready")
                code = (200 if ready else 503) if is_look else status
                await asyncio.sleep(0 if is_look else slow_s)
                told = f"HTTP/1.1 {code} x\r\nretry-after: 3\r\ncontent-length: 2\r\n\r\nhi"
                writer.write(told.encode())
                if b"connection: close" in head:
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_reply_is_read_and_a_connection_used_again() -> None:
    async with answering(503) as port:
        wire = Wire(port)
        for _ in range(3):
            reply = await wire.post(ASKED)
            assert (reply.status, reply.retry_after_s, reply.body) == (503, 3, b"hi")
        wire.close()
    assert (await Wire(port).post(ASKED)).status == 0


async def test_requests_arrive_whether_or_not_earlier_ones_were_answered() -> None:
    async with answering(200, slow_s=0.3) as port:
        wire = Wire(port)
        replies = await overload._open(wire, itertools.repeat(ASKED), 100.0, 0.5)
        wire.close()
    assert 40 <= len(replies) <= 51
    assert {reply.status for reply in replies} == {200}


def test_goodput_is_held_against_capacity_and_refusals_against_their_bound() -> None:
    plan = overload.Plan(overload_s=10.0, capacity_s=1.0)
    good = [Reply(200, 0.5, sent_at=float(n) / 10) for n in range(90)]
    slow = [Reply(503, 0.2, 1) for _ in range(10)]
    quick = [Reply(503, 0.001, 1) for _ in range(90)]
    result = overload._result(
        plan, [10.0, 10.0], good + slow + quick, 0.0, 1.0, (100, 103), [0.1], {}
    )
    met = {target.name: target.met for target in result.targets}
    assert met == {
        "goodput / capacity": False,
        "refusals, p99": False,
        "resident memory, most / before": True,
        "recovery": True,
    }


async def test_the_balancer_asks_only_who_is_ready_and_retries_nothing(tmp_path: Path) -> None:
    async with answering(200) as good, answering(500, ready=False) as bad:
        replicas = [restarts.Replica((), tmp_path / "log", port=port) for port in (good, bad)]
        balancer = restarts.Balancer(replicas)
        async with balancer.serving():
            while not replicas[0].is_ready:  # noqa: ASYNC110 (its own task looks)
                await asyncio.sleep(0.01)
            wire = Wire(balancer.port)
            assert [(await wire.post(ASKED)).status for _ in range(4)] == [200] * 4
            replicas[1].is_ready = True
            assert {(await wire.post(ASKED)).status for _ in range(2)} == {200, 500}
            wire.close()


@pytest.mark.parametrize("seed", range(5))
def test_growth_is_told_from_noise(seed: int) -> None:
    chance = random.Random(seed)
    at_s = [5.0 * n for n in range(720)]
    noise = [1000 + chance.gauss(0, 20) for _ in at_s]
    leak = [value + 0.02 * at for value, at in zip(noise, at_s, strict=True)]  # 7 % in an hour
    assert soak.growth(at_s, noise).low <= soak.FLAT
    assert soak.growth(at_s, leak).low > soak.FLAT


def test_a_soak_asks_for_embeddings_and_tells_what_was_not_answered() -> None:
    assert soak.EMBEDDING_MODEL in soak._request("embeddings", "What is 2 + 3?").decode()
    assert create_embedder("hashing").id == soak.EMBEDDING_MODEL
    held = [{"at_s": 5.0 * n, "threads": 10.0} for n in range(100)]
    result = soak._result(500.0, [Reply(200, 0.1), Reply(404, 0.1)], held)
    met = {target.name: target.met for target in result.targets}
    assert met == {"requests not answered": False, "threads, growth in an hour": True}


def test_what_became_of_clients_that_leave_can_be_kept() -> None:
    left = Left()
    requests = {_request(random.Random(seed), left) for seed in range(50)}
    assert len(requests) > 30
    assert sum(json.loads(json.dumps(asdict(left)))["asked"].values()) == 50


class Dying:
    """A server whose engine is a process that does nothing, and that refuses without one."""

    def __init__(self) -> None:
        self._cores = [self._started()]

    @staticmethod
    def _started() -> Popen[bytes]:
        code = "print(flush=True); input()"
        core = Popen([sys.executable, "-c", code, "VLLM::EngineCore"], stdin=PIPE, stdout=PIPE)
        assert core.stdout is not None
        core.stdout.readline()  # until then its command line may be empty
        return core

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(self._cores[-1].pid)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            while head := await reader.read(65_536):
                core = self._cores[-1]
                is_well = core.poll() is None and self.family()[0].status() != psutil.STATUS_STOPPED
                code = 200 if is_well else 503 if head.startswith(b"GET") else 500
                told = f"HTTP/1.1 {code} x\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n"
                writer.write(told.encode())
                await asyncio.sleep(0.01)
                if b"connection: close" in head:
                    break
        writer.close()

    async def mend(self) -> None:
        """Have another engine once the one is missed."""
        await asyncio.sleep(1.0)
        self._cores[-1].kill()
        self._cores[-1].wait()
        self._cores.append(self._started())

    def close(self) -> None:
        for core in self._cores:
            core.kill()
            core.communicate()


@pytest.mark.parametrize("harm", deaths.HARMS)
async def test_an_engines_end_is_timed_and_what_is_refused_out_of_order_counted(
    harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deaths, "PAUSE_S", 0.05)
    clients = [list[Reply](), list[Reply]()]
    with closing(Dying()) as dying:
        server = await asyncio.start_server(dying.serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            asking = [asyncio.create_task(deaths._ask(port, *each)) for each in enumerate(clients)]
            mending = asyncio.create_task(dying.mend())
            found = await deaths._death(harm, dying, port, clients)  # type: ignore[arg-type]
            await mending
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
    assert found.seconds > 0.5, "another engine is there a second after the signal"
    assert found.noticed_s < found.seconds
    assert found.disorderly.keys() == {"500"}
    result = deaths._result([dataclasses.replace(found, harm=each) for each in deaths.HARMS])
    assert [target.met for target in result.targets][-1] is False
