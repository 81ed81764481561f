"""Clients that leave at random moments, and what they leave behind: nothing.

Plain sockets: a client that leaves closes its connection, in the middle of its own request or of
the answer, and says no more.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from adaptation.evaluation import questions
from adaptation.evaluation.examples import import_lines
from loadtests.measure.prometheus import total

AT_ONCE = 12
MOST_S = 1.0
"""A client stays so long at most, unless it is answered before."""
SETTLE_S = 60.0
SLACK = 16
"""Descriptors more than before: connections of the pool of a database, and files of a log."""
ASKED = [{"role": "user", "content": questions.shifted(1, 1)[0].question}]
QUIET = {"memory": {"write": False, "task": questions.TASK}}
STRATEGIES = ("plain", "consistency", "demonstrations", "ttt", "best_of_n", "auto")


@dataclass
class Left:
    """What became of the clients, and what they left."""

    clients: int = 0
    answered: int = 0
    """Before they could leave."""
    asked: dict[str, int] = field(default_factory=dict)
    orphans: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """What a server holds while nobody asks it anything."""

    sequences: float
    descriptors: int
    files: int

    @classmethod
    def of(cls, url: str, process: psutil.Process) -> Held:
        """Look at a running server."""
        text = httpx.get(f"{url}/metrics", timeout=60).text
        names = ("vllm:num_requests_running", "vllm:num_requests_waiting")
        sequences = sum(total(text, name) for name in names)
        folders = {Path(tempfile.gettempdir()), Path("/dev/shm")}
        files = sum(len(list(folder.glob("whet-*"))) for folder in folders if folder.is_dir())
        return cls(sequences, process.num_fds(), files)


def torture(
    clients: int, seed: int, url: str, process: psutil.Process, say: Callable[[str], None]
) -> Left:
    """Have so many clients leave a server, whose own process is `process`."""
    found, chance = Left(), random.Random(seed)
    _settle(url, process, Held(0, 1 << 20, 1 << 20))
    before = Held.of(url, process)
    while found.clients < clients:
        number = min(500, clients - found.clients)
        asyncio.run(_leave(urlsplit(url).port or 80, number, chance, found))
        say(f"{found.clients} clients, {found.answered} answered before they left")
    after = _settle(url, process, before)
    found.orphans = {
        "sequences": after.sequences,
        "descriptors": max(0, after.descriptors - before.descriptors - SLACK),
        "files": max(0, after.files - before.files),
        "leases": _lost_leases(url),
    }
    return found


def _settle(url: str, process: psutil.Process, wanted: Held) -> Held:
    """Wait until nothing is left, or it will not become less."""
    end = time.monotonic() + SETTLE_S
    while True:
        held = Held.of(url, process)
        is_quiet = held.sequences == 0 and held.descriptors <= wanted.descriptors + SLACK
        if (is_quiet and held.files <= wanted.files) or time.monotonic() > end:
            return held
        time.sleep(0.5)


async def _leave(port: int, clients: int, chance: random.Random, found: Left) -> None:
    plans = [(_request(chance, found), chance.random() ** 2 * MOST_S) for _ in range(clients)]
    places = asyncio.Semaphore(AT_ONCE)

    async def one(sent: bytes, stays_s: float) -> None:
        async with places:
            found.answered += await _visit(port, sent, stays_s)
            found.clients += 1

    await asyncio.gather(*(one(*plan) for plan in plans))


async def _visit(port: int, sent: bytes, stays_s: float) -> bool:
    """Send, stay, leave; whether the answer was whole by then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    is_whole = False
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(stays_s):
            writer.write(sent)
            is_whole = bool(await reader.read(-1))
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return is_whole


def _request(chance: random.Random, found: Left) -> bytes:
    """Return one of the requests that a server answers; one in eight is cut short."""
    strategy, stream = chance.choice(STRATEGIES), chance.random() < 0.5
    kind = chance.choice(("chat", "chat", "completion", "response"))
    name = f"{kind} {strategy}" if kind != "completion" else kind
    found.asked[name] = found.asked.get(name, 0) + 1
    more: dict[str, Any] = {"stream": stream, "seed": chance.randrange(1 << 30)}
    if kind == "chat":
        path, body = "/v1/chat/completions", {"messages": ASKED, "max_tokens": 200, **more}
    elif kind == "completion":
        strategy, path = "plain", "/v1/completions"
        body = {"prompt": "1, 2, 3,", "max_tokens": 200, **more}
    else:
        del more["seed"]
        path, body = "/v1/responses", {"input": ASKED, "max_output_tokens": 200, **more}
    body |= {"model": f"whet-pebble:{strategy}"}
    if kind != "completion":
        body["adaptation"] = QUIET
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    whole = head.encode() + content
    return whole if chance.random() > 1 / 8 else whole[: chance.randrange(1, len(whole))]


def _lost_leases(url: str) -> float:
    """Ask for a training; a server that has lost its places for adapters says that it waited."""
    body = {"model": "whet-pebble:ttt", "messages": ASKED, "adaptation": QUIET}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=300)
    answer.raise_for_status()
    report = answer.json()["adaptation"]
    return float(report["strategy"] != "ttt")


def teach(url: str) -> None:
    """Give a memory something to train on, so that `ttt` trains."""
    lines = import_lines(questions.examples(24, 1), questions.TASK)
    httpx.post(f"{url}/v1/memory/import", content=lines, timeout=300).raise_for_status()
