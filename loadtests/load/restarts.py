"""Two replicas behind a load balancer, restarted in turn while clients ask: nobody may notice.

The balancer is a small proxy. It retries nothing: a request that reaches a server which cannot
answer it has failed. It takes a replica out when `/ready` says no, and asks that five times a
second.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from adaptation import child
from adaptation.evaluation import questions
from adaptation.statistics import Interval
from loadtests.load.wire import Reply, Wire, posting
from loadtests.measure.result import Result, Target
from server.server_process import ROOT, free_port

LOOK_S = 0.2
NOTICE_S, DRAIN_S = 2, 120
"""Ten looks of the balancer; and longer than the longest vote."""
CLIENTS = 4
READY_S, STOP_S = 600.0, 180.0
STRATEGIES = ("plain", "consistency", "consistency", "best_of_n")


@dataclass
class Port:
    """Where a server is to be found, and whether it says that it can answer."""

    port: int = field(default_factory=free_port, kw_only=True)
    is_ready: bool = field(default=False, kw_only=True)

    async def look(self) -> None:
        """Ask `/ready` for ever."""
        while True:
            self.is_ready = await says_ready(self.port)
            await asyncio.sleep(LOOK_S)


@dataclass
class Replica(Port):
    """One server, started again and again on one port."""

    flags: tuple[str, ...]
    log: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = child.command("server.cli", "serve", "--port", str(self.port), *self.flags)
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL
            )
        end = time.monotonic() + READY_S
        while not self.is_ready:
            if self.process.returncode is not None or time.monotonic() > end:
                tail = self.log.read_text("utf-8", "replace")[-2000:]
                raise RuntimeError(f"a replica did not start:\n{tail}")
            await asyncio.sleep(LOOK_S)

    async def stop(self) -> int:
        """SIGTERM; return the status it ends with."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


class Balancer:
    """Hands each request to the replica that is ready and answers the fewest, as nginx's
    `least_conn` does; of several such to the next."""

    def __init__(self, replicas: Sequence[Port]) -> None:
        self._replicas, self._turn = replicas, itertools.count()
        self._under_way: Counter[int] = Counter()
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen for the length of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        looks = [asyncio.create_task(each.look()) for each in self._replicas]
        async with server:
            yield
        for task in looks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled at the end: asyncio 3.11 complains of a handler that does not take that quietly.
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                writer.write(await self._pass_on(head + await reader.readexactly(length)))
        writer.close()

    async def _pass_on(self, request: bytes) -> bytes:
        ready = [each for each in self._replicas if each.is_ready]
        if not ready:
            return b"HTTP/1.1 502 None\r\ncontent-length: 0\r\n\r\n"
        first = next(self._turn)
        in_turn = [ready[(first + place) % len(ready)] for place in range(len(ready))]
        replica = min(in_turn, key=lambda each: self._under_way[each.port])
        self._under_way[replica.port] += 1
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
            writer.write(request.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
            answer = await reader.read(-1)
            writer.close()
        except OSError:
            answer = b""
        finally:
            self._under_way[replica.port] -= 1
        return answer or b"HTTP/1.1 502 Broken\r\ncontent-length: 0\r\n\r\n"


async def says_ready(port: int) -> bool:
    """Whether `/ready` of a server on this machine answers 200."""
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /ready HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            head = await reader.read(-1)
            writer.close()
            return head[9:12] == b"200"
    except (OSError, TimeoutError):
        return False


def measure(restarts: int, console: Console, flags: Sequence[str] = ()) -> Result:
    """Restart so often, the two in turn, and count the requests that failed."""
    with TemporaryDirectory(prefix="whet-restarts-") as folder:
        return asyncio.run(_measured(restarts, Path(folder), console, flags))


async def _measured(restarts: int, folder: Path, console: Console, flags: Sequence[str]) -> Result:
    given = ("--data-dir", str(folder / "data"), "--embedder", "hashing")
    given += ("--notice-s", str(NOTICE_S), "--drain-s", str(DRAIN_S), *flags)
    replicas = [Replica(given, folder / f"{name}.log") for name in ("first", "second")]
    balancer, replies, statuses = Balancer(replicas), list[Reply](), list[int]()
    async with balancer.serving():
        try:
            for replica in replicas:
                await replica.start()
            asking = [asyncio.create_task(_ask(balancer.port, replies, n)) for n in range(CLIENTS)]
            began = time.monotonic()
            for number in range(restarts):
                replica = replicas[number % 2]
                statuses.append(await replica.stop())
                replica.is_ready = False
                await replica.start()
                failed = sum(each.status != 200 for each in replies)
                console.print(
                    f"restart {number + 1} of {restarts}: {len(replies)} requests, {failed} failed"
                )
            seconds = time.monotonic() - began
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        finally:
            await asyncio.gather(*(each.stop() for each in replicas if each.process is not None))
    return _result(restarts, replies, statuses, seconds)


async def _ask(port: int, replies: list[Reply], number: int) -> None:
    """Ask one request after another, voted and plain, and note how each ended."""
    wire, asked = Wire(port), itertools.cycle(questions.everyday(64, number))
    for strategy in itertools.cycle(STRATEGIES):
        body: dict[str, Any] = {
            "model": f"whet-pebble:{strategy}",
            "messages": [{"role": "user", "content": next(asked).question}],
            "max_tokens": 200,
            "adaptation": {"memory": {"write": False}},
        }
        replies.append(await wire.post(posting("/v1/chat/completions", body)))


def _result(
    restarts: int, replies: Sequence[Reply], statuses: Sequence[int], seconds: float
) -> Result:
    failed = [each for each in replies if each.status != 200]
    said = Counter(_words(each) for each in failed)
    rows = [
        ("requests", f"{len(replies)} in {seconds:.0f} s"),
        ("failed", ", ".join(f"{n} × {what}" for what, n in said.items()) or "0"),
        ("replicas that ended with another status than 0", str(sum(map(bool, statuses)))),
        ("longest request", f"{max((each.seconds for each in replies), default=0.0):.1f} s"),
    ]
    number = float(len(failed))
    targets = [Target("failed requests", 0.0, "at most", Interval(number, number, number))]
    figures = {
        "restarts": restarts,
        "requests": len(replies),
        "failed": dict(said),
        "statuses": list(statuses),
        "seconds": seconds,
    }
    title = f"rolling restart of two replicas, {restarts} restarts, {CLIENTS} clients"
    return Result("restarts", title, rows, figures, targets)


def _words(reply: Reply) -> str:
    try:
        message = json.loads(reply.body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = ""
    return f"{reply.status} {message}".strip()
