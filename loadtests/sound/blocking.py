"""How long a hostile body keeps everybody else waiting, as somebody else sees it.

A block is the longest wait for `GET /health` less the usual one (the median), which is what its
answer takes. Waits count as far as the server was at work (`health.py`).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import httpx
from rich.console import Console

from loadtests.sound.builds import Build
from loadtests.sound.figures import Compared
from loadtests.sound.health import LIMIT_S, asked_for_health
from loadtests.sound.hostile import BODIES, PATH
from server.server_process import Server

MOST_MS = 50.0
NOTHING = "no body at all"
"""What the machine itself makes somebody wait."""
IDLE_S = 1.0


def measure(rounds: int, before: Build, now: Build, console: Console) -> list[Compared]:
    """Send every body to both builds."""
    bodies = {NOTHING: b""} | {name: make().encode() for name, make in BODIES.items()}
    blocks: dict[Build, dict[str, list[float]]] = {
        build: {name: [] for name in bodies} for build in (before, now)
    }
    for number in range(rounds):
        for build, found in blocks.items():
            console.print(f"blocking, round {number + 1} of {rounds}: {build.name}")
            with build.serving(console) as server:
                _send(server.url, b'{"messages": []}')  # warms up
                for name, body in bodies.items():
                    found[name].append(_blocked_ms(server, name, body, console))
    return [_compared(name, blocks[before][name], blocks[now][name]) for name in bodies]


def _blocked_ms(server: Server, name: str, body: bytes, console: Console) -> float:
    with asked_for_health(server) as waits_s:
        end = _send(server.url, body) if body else _idle()
    blocked = block_ms(waits_s)
    console.print(f"  {name}: {blocked:.1f} ms in {len(waits_s)} waits; {end}")
    return blocked


def _idle() -> str:
    time.sleep(IDLE_S)
    return "idle"


def _send(url: str, body: bytes) -> str:
    """Return how it was answered; a server that closes before it has read all is an answer."""
    headers = {"content-type": "application/json"}
    begun = time.perf_counter()
    try:
        end = str(httpx.post(url + PATH, content=body, headers=headers, timeout=LIMIT_S))
    except httpx.HTTPError as error:
        end = type(error).__name__
    return f"{end} after {time.perf_counter() - begun:.2f} s"


def block_ms(waits_s: Sequence[float]) -> float:
    """Return the longest wait less the usual one.

    >>> block_ms([0.001, 0.001, 0.501])
    500.0
    """
    return 1000 * (max(waits_s) - statistics.median(waits_s))


def _compared(name: str, before: Sequence[float], now: Sequence[float]) -> Compared:
    title = f"longest block of `/health` by {name}"
    return Compared(title, "ms", tuple(before), tuple(now), "now", "at most", MOST_MS)
