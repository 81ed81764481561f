"""What test-time training costs the requests of a server: the next of its neighbours, and others.

Each pair of figures is of one server, in turns: without training, and with it.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from rich.console import Console

from adaptation.evaluation import questions
from adaptation.evaluation.examples import import_lines
from adaptation.evaluation.suites.solved import Solved
from adaptation.learning.overlap import DECIDED, NEEDLESS
from loadtests.measure import load
from loadtests.sound.figures import Compared
from server.server_process import WHET, Server, running

MODEL = "whet-pebble"
TIMEOUT_S = 300.0
TAUGHT = 64
"""Examples of a world."""
ASKED = 12
WORLDS = 16
NO_STEPS = {"train_steps": 0}
SAMPLES = 8
FIXED: dict[str, Any] = {"max_tokens": 64, "ignore_eos": True}
BURST, AT_ONCE = 24, 4
LONG_AND_USELESS = ("--train-steps", "256", "--learning-rate", "1e-7", "--train-timeout-s", "300")
"""Trainings that learn nothing: no adapter is sampled from, and what is measured is training."""
TRAINING_AT_ONCE = 2
Figures = defaultdict[str, list[float]]
Ask = Callable[[httpx.Client, int, Figures], None]


def second_requests(rounds: int, seed: int, console: Console) -> list[Compared]:
    """Compare the next request of a neighbourhood with a vote, on a server of fixed votes."""
    found = _found(rounds, seed, console, _second_requests, "--stopping-rule", "fixed")
    return [
        Compared(
            "second request of a neighbourhood (before: a vote of as many samples)", "s",
            tuple(found["vote"]), tuple(found["kept"]), "now / before", "at most", 1.3,
        ),
        Compared(
            "hand-off of an adapter", "ms", (), tuple(found["hand_off"]), "now", "at most", 10
        ),
    ]  # fmt: skip


def plain_requests(rounds: int, seed: int, console: Console) -> list[Compared]:
    """Compare plain requests beside trainings with plain requests alone."""
    found = _found(rounds, seed, console, _plain_requests, *LONG_AND_USELESS)
    return [
        Compared(
            f"plain requests while {TRAINING_AT_ONCE} others train (before: while none does)",
            "tokens/s", tuple(found["alone"]), tuple(found["beside"]),
            "now / before", "at least", 0.7,
        )
    ]  # fmt: skip


def decided_votes(rounds: int, seed: int, console: Console) -> list[Compared]:
    """Compare votes that are decided while training runs with the same votes without it."""
    found = _found(rounds, seed, console, _decided_votes)
    return [
        Compared(
            "`auto` whose vote is decided while it trains (before: the same without training)", "s",
            tuple(found["untrained"]), tuple(found["decided"]), "now / before", "at most", 1.25,
        )
    ]  # fmt: skip


def _found(rounds: int, seed: int, console: Console, ask: Ask, *flags: str) -> Figures:
    found: Figures = defaultdict(list)
    with (
        _serving(console, *flags) as server,
        httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as http,
    ):
        for number in range(rounds):
            console.print(f"{ask.__name__.lstrip('_')}, round {number + 1} of {rounds}")
            ask(http, seed + number, found)
    return found


@contextmanager
def _serving(console: Console, *flags: str) -> Iterator[Server]:
    """Serve the built-in model on a new memory."""
    with (
        TemporaryDirectory(prefix="whet-served-") as folder,
        running(WHET, console, "--data-dir", folder, *flags) as server,
    ):
        yield server


def _second_requests(http: httpx.Client, seed: int, found: Figures) -> None:
    """Ask each question of a world by a vote, and through what its first request left.

    Adapters answer at other length than the base: every sample is held to as many tokens.
    """
    task = f"{questions.TASK}-{seed}"
    _teach(http, questions.examples(TAUGHT, seed), task)
    votes, kept = [], []
    for solved in questions.shifted(ASKED, seed):
        first, _ = _ask(http, solved.question, "ttt", task)
        if "hand_off" in first["seconds"]:  # one that is kept stays loaded
            found["hand_off"].append(1000.0 * first["seconds"]["hand_off"])
        votes.append(_ask(http, solved.question, "consistency", task, **FIXED)[1])
        report, seconds = _ask(http, solved.question, "ttt", task, **FIXED)
        if report["strategy"] == "ttt" and not report["tokens"]["training"]:
            kept.append(seconds)
    if kept:  # the gate may refuse every adapter of a world
        found["vote"].append(median(votes))
        found["kept"].append(median(kept))


def _plain_requests(http: httpx.Client, seed: int, found: Figures) -> None:
    url = str(http.base_url).rstrip("/")
    asked = [solved.question for solved in questions.everyday(BURST, seed)]
    bodies = [load.body(MODEL, question, seed) for question in asked]
    load.send(url, bodies[:AT_ONCE], AT_ONCE)
    found["alone"].append(load.send(url, bodies, AT_ONCE).tokens_per_s)
    with _training(url, seed):
        found["beside"].append(load.send(url, bodies, AT_ONCE).tokens_per_s)


def _decided_votes(http: httpx.Client, seed: int, found: Figures) -> None:
    """Ask `auto` what demonstrations decide, with training beside the votes and without.

    Each world is taught twice and asked once of each, in turns: what a request finds out of its
    neighbours, the next one of them need not. Only where training was not needed are they compared.
    """
    without, beside = [], []
    for number in range(WORLDS):
        world = WORLDS * seed + number
        solved = questions.shifted(1, world)[0]
        seconds: dict[bool, float] = {}
        was_decided = False
        for trains in (True, False) if number % 2 else (False, True):
            task = f"{questions.TASK}-{world}-{trains}"
            _teach(http, questions.examples(TAUGHT, world), task)
            report, seconds[trains] = _ask(
                http, solved.question, "auto", task, 16, budget=None if trains else NO_STEPS
            )
            told = json.dumps(report)
            was_decided |= trains and (DECIDED in told or NEEDLESS in told)
        if was_decided:
            without.append(seconds[False])
            beside.append(seconds[True])
    if without:
        found["untrained"].append(median(without))
        found["decided"].append(median(beside))


@contextmanager
def _training(url: str, seed: int) -> Iterator[None]:
    """Keep the trainer at work for the block, on worlds of which nothing is kept."""
    over, worlds = threading.Event(), count(1000 * (seed + 1))

    def go_on() -> None:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S) as http:
            while not over.is_set():
                world = next(worlds)
                task = f"{questions.TASK}-{world}"
                _teach(http, questions.examples(TAUGHT, world), task)
                _ask(http, questions.shifted(1, world)[0].question, "ttt", task, max_samples=1)

    threads = [threading.Thread(target=go_on) for _ in range(TRAINING_AT_ONCE)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _teach(http: httpx.Client, examples: list[Solved], task: str) -> None:
    http.post("/v1/memory/import", content=import_lines(examples, task)).raise_for_status()


def _ask(
    http: httpx.Client,
    question: str,
    strategy: str,
    task: str,
    max_samples: int = SAMPLES,
    budget: dict[str, int] | None = None,
    **fields: Any,
) -> tuple[dict[str, Any], float]:
    """Return the report and the seconds from the request to its last byte."""
    body = {
        "model": f"{MODEL}:{strategy}",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 256,
        "seed": 7,
        **fields,
        "adaptation": {
            "max_samples": max_samples,
            "memory": {"task": task, "write": False, "reuse": False},
            **({"budget": budget} if budget else {}),
        },
    }
    began = time.perf_counter()
    response = http.post("/v1/chat/completions", json=body)
    seconds = time.perf_counter() - began
    response.raise_for_status()
    report: dict[str, Any] = response.json()["adaptation"]
    return report, seconds
