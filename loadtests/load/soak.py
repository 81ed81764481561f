"""Hours of mixed requests, and whether memory, descriptors and threads grow.

What is measured every few seconds is averaged over twelve stretches of the time after a warm-up,
as neighbouring measurements are alike, and a line is put through the averages: its slope with a
95 % interval, as a share of the mean in an hour.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
from rich.console import Console
from scipy import stats

from adaptation.evaluation import questions
from adaptation.evaluation.examples import import_lines
from adaptation.statistics import Interval
from loadtests.load.wire import Reply, Wire, posting
from loadtests.measure.result import Result, Target
from memory.embedding.hashing import HashingEmbedder
from server.resident import allocated_of, resident_of
from server.server_process import WHET, Server, running

CLIENTS = 4
CROWD = 48
"""Requests at once before anything is measured: pools have all of their threads and connections
then, which four clients would come to need only over hours."""
EVERY_S = 5.0
WARM_SHARE = 0.25
"""Of the time; caches and pools fill."""
STRETCHES = 12
FLAT = 0.01
"""Of the mean in an hour: a slope that is surely more is no noise."""
EMBEDDING_MODEL = HashingEmbedder().id
KINDS = ("plain", "consistency", "demonstrations", "ttt", "best_of_n", "auto", "embeddings")


def measure(minutes: float, console: Console, flags: Sequence[str] = ()) -> Result:
    """Ask for so long, and look at what the server's processes hold."""
    with TemporaryDirectory(prefix="whet-soak-") as data:
        given = ("--data-dir", data, "--embedder", "hashing", *flags)
        with running(WHET, console, *given) as server:
            return asyncio.run(_measured(minutes * 60, server, console))


async def _measured(seconds: float, server: Server, console: Console) -> Result:
    port = urlsplit(server.url).port or 80
    await _teach(port)
    await _crowd(port)
    replies, held = list[Reply](), list[dict[str, float]]()
    asking = [asyncio.create_task(_ask(port, replies, number)) for number in range(CLIENTS)]
    began = said_at = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        held.append({"at_s": passed} | await asyncio.to_thread(_held, server))
        if time.monotonic() - said_at > 60:
            said_at = time.monotonic()
            console.print(f"soak: {passed / 60:.0f} of {seconds / 60:.0f} minutes: {held[-1]}")
        await asyncio.sleep(EVERY_S)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    return _result(seconds, replies, held)


async def _teach(port: int) -> None:
    wire = Wire(port)
    lines = import_lines(questions.examples(64, 1), questions.TASK).encode()
    head = f"POST /v1/memory/import HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(lines)}"
    reply = await wire.post(head.encode() + b"\r\n\r\n" + lines)
    if reply.status != 200:
        raise RuntimeError(f"the memory took no examples: {reply.body.decode()}")
    wire.close()


async def _crowd(port: int) -> None:
    """Have every pool as full as it gets."""
    asked = questions.shifted(CROWD, 2)
    wires = [Wire(port) for _ in asked]
    kinds = itertools.cycle(KINDS)
    sent = zip(wires, kinds, asked, strict=False)
    await asyncio.gather(*(wire.post(_request(kind, q.question)) for wire, kind, q in sent))
    for wire in wires:
        wire.close()


async def _ask(port: int, replies: list[Reply], number: int) -> None:
    wire, asked = Wire(port), itertools.cycle(questions.shifted(200, 1))
    kinds = itertools.islice(itertools.cycle(KINDS), number, None)
    while True:
        replies.append(await wire.post(_request(next(kinds), next(asked).question)))


def _request(kind: str, question: str) -> bytes:
    if kind == "embeddings":
        return posting("/v1/embeddings", {"model": EMBEDDING_MODEL, "input": question})
    body: dict[str, Any] = {
        "model": f"whet-pebble:{kind}",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 200,
        "adaptation": {"memory": {"task": questions.TASK}},
    }
    return posting("/v1/chat/completions", body)


def _held(server: Server) -> dict[str, float]:
    family = server.family()
    held = {f"resident, {role}": float(size) for role, size in resident_of(family).items()}
    held |= {f"allocated, {role}": float(size) for role, size in allocated_of(family).items()}
    descriptors = threads = 0
    for process in family:
        try:
            descriptors += process.num_fds()
            threads += process.num_threads()
        except psutil.NoSuchProcess:
            continue
    return held | {"descriptors": float(descriptors), "threads": float(threads)}


def growth(at_s: Sequence[float], values: Sequence[float]) -> Interval:
    """Return the slope in an hour as a share of the mean, with its 95 % interval.

    >>> found = growth([60.0 * n for n in range(120)], [100.0] * 120)
    >>> (found.low, found.value, found.high)
    (0.0, 0.0, 0.0)
    """
    x = np.array([each.mean() for each in np.array_split(np.asarray(at_s), STRETCHES)]) / 3600
    y = np.array([each.mean() for each in np.array_split(np.asarray(values), STRETCHES)])
    if not np.ptp(y):  # of a constant's slope scipy 1.17 gives NaN as the standard error
        return Interval(0.0, 0.0, 0.0)
    line = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, STRETCHES - 2) * line.stderr)
    slope, mean = float(line.slope), float(y.mean()) or 1.0
    return Interval(slope / mean, (slope - half) / mean, (slope + half) / mean)


def _result(seconds: float, replies: Sequence[Reply], held: Sequence[dict[str, float]]) -> Result:
    late = [each for each in held if each["at_s"] >= WARM_SHARE * seconds]
    names = [name for name in late[-1] if name != "at_s" and all(name in each for each in late)]
    slopes = {
        name: growth([each["at_s"] for each in late], [each[name] for each in late])
        for name in names
        if len(late) >= 2 * STRETCHES
    }
    statuses = Counter(each.status for each in replies)
    rows = [
        ("requests", ", ".join(f"{n} × {status}" for status, n in sorted(statuses.items()))),
        *((name, f"{late[0][name]:,.0f} to {late[-1][name]:,.0f}") for name in names),
    ]
    lost = float(len(replies) - statuses[200])
    targets = [
        Target("requests not answered", 0.0, "at most", Interval(lost, lost, lost)),
        *(
            Target(f"{name}, growth in an hour", FLAT, "at most", _least(slope))
            for name, slope in slopes.items()
        ),
    ]
    figures = {"held": list(held), "statuses": {str(k): v for k, v in statuses.items()}}
    title = f"soak, {seconds / 60:.0f} minutes, {CLIENTS} clients"
    note = (
        "A growth is judged by the least that its interval allows: within noise it is none. "
        "Allocated is resident without the pages of files, which come and go as memory is short."
    )
    return Result("soak", title, rows, figures, targets, note)


def _least(slope: Interval) -> Interval:
    """Return the slope as it is judged: by its lower end."""
    return Interval(slope.low, slope.low, slope.high)
