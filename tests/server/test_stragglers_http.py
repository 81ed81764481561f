"""Through the whole server: a sample that rambles is ended in the engine, and told of."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from adaptation.voting.stragglers import FLOOR_TOKENS
from tests.server.composed import Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")

HEY: dict[str, Any] = {"messages": [{"role": "user", "content": "hey"}]}
NO_MEMORY = {"read": False, "write": False, "reuse": False}
GREETINGS = ("Hello there!", "Hi, how are you?", "Good day to you.", "What can I do?")
WORDS = ("apples", "keys", "ropes", "cards", "toys", "pens", "hats", "bags", "coins", "books")


class Greeting:
    """Greets in other words each time, but for the second sample, which rambles."""

    def __init__(self, *, ends: bool = False) -> None:
        self.drawn = 0
        self._gate = None if ends else asyncio.Event()
        self._ramble = " ".join(random.Random(0).choices(WORDS, k=2 * FLOOR_TOKENS))

    def __call__(self, request: Any) -> Reply:
        self.drawn += 1
        if self.drawn == 2:
            return Reply(self._ramble, gate=self._gate)
        return Reply(GREETINGS[self.drawn % len(GREETINGS)])


async def greeted(server: Composed, **asked: Any) -> dict[str, Any]:
    options = {"strategy": "consistency", "memory": NO_MEMORY}
    return await server.chat(**HEY, adaptation=options, **asked)


@pytest.mark.parametrize("seed", [None, 3])
async def test_the_engine_is_told_to_end_a_straggler_and_the_bill_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int | None
) -> None:
    async with composed(tmp_path, monkeypatch, Greeting()) as server:
        answer = await greeted(server, seed=seed)
        (choice,), report = answer["choices"], answer["adaptation"]
        assert choice["message"]["content"] in GREETINGS
        assert choice["finish_reason"] == "stop"
        assert report["samples"] == {"started": 4, "finished": 3, "cancelled": 1, "cut": 1}
        assert len(server.core.aborted) == 1
        assert answer["usage"]["completion_tokens"] == server.core.generated_tokens
        assert FLOOR_TOKENS < report["tokens"]["cancelled"] < 2 * FLOOR_TOKENS


async def test_a_stream_ends_without_its_straggler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, Greeting()) as server:
        options = {"strategy": "consistency", "memory": NO_MEMORY}
        events = await server.events(
            "/v1/chat/completions", model="whet-pebble", **HEY, adaptation=options
        )
        said = "".join(
            choice["delta"].get("content") or "" for event in events for choice in event["choices"]
        )
        reports = [event["adaptation"] for event in events if event.get("adaptation")]
        assert said in GREETINGS
        assert reports[-1]["samples"]["cut"] == 1
        assert len(server.core.aborted) == 1


async def test_two_choices_are_two_whole_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, Greeting()) as server:
        answer = await greeted(server, n=2)
        choices = answer["choices"]
        assert {choice["message"]["content"] for choice in choices} <= {*GREETINGS}
        assert [choice["finish_reason"] for choice in choices] == ["stop", "stop"]
        assert answer["adaptation"]["samples"]["cut"] == 1


async def test_an_operator_may_have_votes_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Greeting(ends=True)
    async with composed(tmp_path, monkeypatch, script, straggler_factor=None) as server:
        answer = await greeted(server)
        samples = answer["adaptation"]["samples"]
        assert samples == {"started": 4, "finished": 4, "cancelled": 0, "cut": 0}
        assert not server.core.aborted
