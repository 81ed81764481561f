"""How many of sixteen `ttt` requests at once are lost, where one in ten could train in time.

Each has a tenth of the seconds that all would need one after the other. What the server makes of
it is its own affair (train a few, vote for the rest), but every one has to be answered with 200.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console

from adaptation.evaluation import questions
from adaptation.evaluation.examples import import_lines
from loadtests.sound.builds import Build
from loadtests.sound.figures import Compared

MODEL = "whet-pebble"
AT_ONCE = 16
OVERLOAD = 10.0
IMPORTED = 64
ALONE = 3
"""Trainings one by one, of which the last two say how long one takes: the first warms up."""
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Answered:
    """How one request ended: the status (0: the connection broke) and what was done."""

    status: int
    strategy: str
    seconds: float


def measure(rounds: int, seed: int, before: Build, now: Build, console: Console) -> list[Compared]:
    """Overload both builds, each by what one training takes it."""
    lost: dict[Build, list[float]] = {before: [], now: []}
    for number in range(rounds):
        for build, found in lost.items():
            console.print(f"overload, round {number + 1} of {rounds}: {build.name}")
            with build.serving(console) as server:
                found.append(_lost(server.url, seed + number, console))
    return [
        Compared(
            f"lost of {AT_ONCE} `ttt` at {OVERLOAD:g} × overload",
            "requests",
            tuple(lost[before]),
            tuple(lost[now]),
            "now",
            "at most",
            0,
        )
    ]


def _lost(url: str, seed: int, console: Console) -> float:
    """Return how many of the burst were not answered with 200."""
    asked = [task.question for task in questions.shifted(ALONE + AT_ONCE, seed)]
    lines = import_lines(questions.examples(IMPORTED, seed), questions.TASK)
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as http:
        http.post("/v1/memory/import", content=lines).raise_for_status()
        alone = [_ask(http, question, TIMEOUT_S) for question in asked[:ALONE]]
        one_s = sum(one.seconds for one in alone[1:]) / (ALONE - 1)
        wall_s = one_s * AT_ONCE / OVERLOAD
        with ThreadPoolExecutor(AT_ONCE) as pool:
            burst = list(pool.map(lambda question: _ask(http, question, wall_s), asked[ALONE:]))
    ends = Counter(f"{one.status} {one.strategy}".strip() for one in burst)
    shown = ", ".join(f"{count} × {end}" for end, count in ends.most_common())
    longest = max(one.seconds for one in burst)
    console.print(
        f"  alone {one_s:.1f} s, each has {wall_s:.1f} s: {shown}; the last after {longest:.1f} s"
    )
    return float(sum(one.status != httpx.codes.OK for one in burst))


def _ask(http: httpx.Client, question: str, wall_s: float) -> Answered:
    body: dict[str, Any] = {
        "model": f"{MODEL}:ttt",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 256,
        "adaptation": {
            "memory": {"task": questions.TASK, "write": False},
            "budget": {"wall_s": wall_s},
        },
    }
    begun = time.perf_counter()
    try:
        response = http.post("/v1/chat/completions", json=body)
    except httpx.HTTPError:
        return Answered(0, "", time.perf_counter() - begun)
    seconds = time.perf_counter() - begun
    report = response.json().get("adaptation") or {}
    return Answered(response.status_code, report.get("strategy", ""), seconds)
