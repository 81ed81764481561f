"""How long the engine's steps take by the size of their batch, and what a server holds in memory.

The only part that starts a real engine: the built-in model's, as `whet serve` starts it.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from adaptation.statistics import Interval, quartiles
from loadtests.load.wire import Wire, posting
from loadtests.simulate.costs import Spread
from server.resident import resident_of
from server.server_process import WHET, running

BATCHES, ROUNDS, TOKENS = (1, 4, 16), 5, 128


def measure() -> dict[str, Any]:
    """Start a server, have it draw samples of one length side by side, end it."""
    console = Console(stderr=True, markup=False, highlight=False)
    with TemporaryDirectory(prefix="whet-costs-") as folder:
        flags = ("--data-dir", folder, "--embedder", "hashing")
        with running(WHET, console, *flags) as server:
            port = urlsplit(server.url).port
            assert port is not None
            steps = asyncio.run(_steps(port))
            held = float(sum(resident_of(server.family()).values()))
    return {
        "engine_step_s": {size: Spread.of(quartiles(found)) for size, found in steps.items()},
        "server_bytes": Spread.of(Interval(held, held, held)),
    }


async def _steps(port: int) -> dict[int, list[float]]:
    """Return, by the size of the batch, seconds a token; sizes take turns."""
    found: dict[int, list[float]] = {size: [] for size in BATCHES}
    for number in range(ROUNDS + 1):
        for size in BATCHES:
            began = time.perf_counter()
            ended = await asyncio.gather(*(_sample(port, seed) for seed in range(size)))
            if number:  # the first round warms up
                found[size].append((median(ended) - began) / TOKENS)
    return found


async def _sample(port: int, seed: int) -> float:
    """Draw one sample of `TOKENS` tokens; return when it ended."""
    wire = Wire(port)
    body = {
        "model": "whet-pebble:plain",
        "messages": [{"role": "user", "content": f"What is {seed} and 7?"}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "adaptation": {"memory": {"read": False, "write": False}},
    }
    reply = await wire.post(posting("/v1/chat/completions", body))
    wire.close()
    if reply.status != 200:
        raise RuntimeError(f"a sample ended with {reply.status}: {reply.body[:300]!r}")
    return time.perf_counter()
