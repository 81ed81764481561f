"""Many voted chats at once, beside as many plain ones: time, tokens and right answers."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
from rich.console import Console

from adaptation.evaluation import questions
from adaptation.evaluation.suites.solved import Solved
from loadtests.sound.builds import Build
from loadtests.sound.figures import Compared

NAME = "model"
"""What the model is served as."""
AT_ONCE, OF_REAL = 200, 48
"""Votes of the built-in model, and of a real one: as many as its server answers in its time."""
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Burst:
    """What all requests of a strategy came to."""

    seconds: float
    p50_s: float
    tokens: float
    """Generated for each, by the bill."""
    right: float
    """Share of them."""


@dataclass(frozen=True)
class Plan:
    """How much is asked, of which model: the built-in one where it is None."""

    model: Path | None
    rounds: int
    seed: int

    @property
    def at_once(self) -> int:
        """How many chats a burst has."""
        return AT_ONCE if self.model is None else OF_REAL


def measure(plan: Plan, before: Build, now: Build, console: Console) -> list[Compared]:
    """Ask both builds the same questions, in turns."""
    flags = [] if plan.model is None else [str(plan.model)]
    found: dict[Build, dict[str, list[float]]] = {before: defaultdict(list), now: defaultdict(list)}
    for number in range(plan.rounds):
        for build, figures in found.items():
            console.print(f"votes, round {number + 1} of {plan.rounds}: {build.name}")
            with build.serving(console, *flags, "--served-model-name", NAME) as server:
                draw = questions.everyday if plan.model is None else questions.sums
                asked = draw(plan.at_once, plan.seed + number)
                asyncio.run(_sent(server.url, asked[:8], "plain"))  # the first ones warm up
                plain = asyncio.run(_sent(server.url, asked, "plain"))
                voted = asyncio.run(_sent(server.url, asked, "consistency"))
            figures["times"].append(voted.seconds / plain.seconds)
            figures["p50"].append(voted.p50_s)
            figures["tokens"].append(voted.tokens)
            figures["right"].append(100 * voted.right)
    then, today = found[before], found[now]
    whose = "" if plan.model is None else f" to {plan.model.name}"
    all_of_them = f"{plan.at_once} voted chats{whose} at once"
    return [
        Compared(
            f"{all_of_them} ÷ as many plain ones", "", tuple(then["times"]), tuple(today["times"]),
            "now", "at most", 5,
        ),
        Compared(
            f"{all_of_them}, p50", "s", tuple(then["p50"]), tuple(today["p50"]),
            "now / before", "at most", 0.5,
        ),
        Compared(
            f"tokens of such a vote{whose}", "", tuple(then["tokens"]), tuple(today["tokens"]),
            "now / before", "at most", 0.8,
        ),
        Compared(
            f"right of such votes{whose}", "%", tuple(then["right"]), tuple(today["right"]),
            "now / before", "at least", 1,
        ),
    ]  # fmt: skip


async def _sent(url: str, asked: Sequence[Solved], strategy: str) -> Burst:
    limits = httpx.Limits(max_connections=len(asked))
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=limits) as http:
        began = time.perf_counter()
        told = await asyncio.gather(*(_one(http, each, strategy) for each in asked))
        seconds = time.perf_counter() - began
    waits, tokens, right = zip(*told, strict=True)
    return Burst(seconds, median(waits), sum(tokens) / len(told), sum(right) / len(told))


async def _one(http: httpx.AsyncClient, solved: Solved, strategy: str) -> tuple[float, int, bool]:
    body = {
        "model": f"{NAME}:{strategy}",
        "messages": [{"role": "user", "content": solved.question}],
        "max_tokens": 256,
        "adaptation": {"memory": {"read": False, "write": False}},
    }
    if strategy == "plain":
        del body["adaptation"]
    began = time.perf_counter()
    response = await http.post("/v1/chat/completions", json=body)
    seconds = time.perf_counter() - began
    response.raise_for_status()
    answered = response.json()
    spent = answered["usage"]["completion_tokens"]
    if "adaptation" in answered:
        told = answered["adaptation"]["tokens"]
        spent = told["returned"] + told["losing"] + told["cancelled"]
    text = answered["choices"][0]["message"]["content"]
    return seconds, spent, questions.is_right(questions.answer_in(text), solved)
