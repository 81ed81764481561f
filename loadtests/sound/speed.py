"""Seconds that a real model on a CPU takes, on idle cores and beside a busy process on each core.

Asked is the base model through `plain`: 24 greedy tokens, and eight samples of 24 tokens as one
request with `n`. A vote would not do: builds stop votes by different rules, this costs both the
same tokens.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from loadtests.sound.builds import Build
from loadtests.sound.figures import Compared
from loadtests.sound.hogs import busy_cores, load_average

NAME = "model"
"""What the model is served as."""
FLAGS = ("--served-model-name", NAME, "--max-model-len", "2048")
ASKED = {"role": "user", "content": "Tell me something about the sea."}
TOKENS, SAMPLES = 24, 8
FASTER = 10.0
NO_SLOWER = 0.95
"""Of idle cores, where nothing was to be won: half a tenth is noise."""
REQUESTS: dict[str, dict[str, Any]] = {
    f"{TOKENS} greedy tokens": {"temperature": 0},
    f"{SAMPLES} samples of {TOKENS} tokens": {"temperature": 0.8, "n": SAMPLES},
}
CORES = ("idle", "busy")


@dataclass
class Timed:
    """Seconds of one kind of request, and how many of them were cut off by the limit."""

    seconds: list[float] = field(default_factory=list)
    cut_off: int = 0


Times = dict[tuple[str, str], Timed]
"""By kind of request and of cores."""


@dataclass(frozen=True)
class Plan:
    """How often, and how long at most."""

    model: Path
    rounds: int
    """Servers of each build, in turns."""
    repeats: int
    """Requests of a kind to each server, on idle and on busy cores."""
    limit_s: float
    """A request that takes longer is given up: its ratio is larger than what is said."""


def measure(plan: Plan, before: Build, now: Build, console: Console) -> list[Compared]:
    """Ask both builds in turns."""
    times: dict[Build, Times] = {before: {}, now: {}}
    for number in range(plan.rounds):
        for build, found in times.items():
            console.print(f"speed, round {number + 1} of {plan.rounds}: {build.name}")
            _ask_one(plan, build, found, console)
    return [
        _compared(what, cores, times[before][what, cores], times[now][what, cores])
        for cores in CORES
        for what in REQUESTS
    ]


def _ask_one(plan: Plan, build: Build, found: Times, console: Console) -> None:
    with (
        build.serving(console, str(plan.model), *FLAGS) as server,
        httpx.Client(base_url=server.url, timeout=plan.limit_s) as http,
    ):
        _seconds(http, {"max_tokens": 4, "temperature": 0})  # warms up
        _ask_all(plan, http, found, "idle", console)
        with busy_cores(os.cpu_count() or 1):
            _ask_all(plan, http, found, "busy", console)


def _ask_all(plan: Plan, http: httpx.Client, found: Times, cores: str, console: Console) -> None:
    """Ask every kind of request; the load average says what else was at work before."""
    load = load_average()
    for what, body in REQUESTS.items():
        timed = found.setdefault((what, cores), Timed())
        _repeat(plan, lambda body=body: _seconds(http, body), timed)  # type: ignore[misc]
        shown = ", ".join(f"{second:.2f}" for second in timed.seconds)
        console.print(f"  {what}, {cores} cores, load {load:.1f}: {shown} s")


def _repeat(plan: Plan, ask: Callable[[], float], timed: Timed) -> None:
    """Repeat until the time that one request may take is spent, but ask once at least."""
    begun = time.monotonic()
    for _ in range(plan.repeats):
        try:
            timed.seconds.append(ask())
        except httpx.TimeoutException:
            timed.seconds.append(plan.limit_s)
            timed.cut_off += 1
        if time.monotonic() - begun > plan.limit_s:
            return


def _seconds(http: httpx.Client, body: dict[str, Any]) -> float:
    asked = {"model": f"{NAME}:plain", "messages": [ASKED], "max_tokens": TOKENS}
    begun = time.perf_counter()
    response = http.post("/v1/chat/completions", json={**asked, "ignore_eos": True, **body})
    response.raise_for_status()
    return time.perf_counter() - begun


def _compared(what: str, cores: str, before: Timed, now: Timed) -> Compared:
    return Compared(
        f"{what}, {cores} cores",
        "s",
        tuple(before.seconds),
        tuple(now.seconds),
        "before / now",
        "at least",
        FASTER if cores == "busy" else NO_SLOWER,
        cut_off=before.cut_off,
    )
