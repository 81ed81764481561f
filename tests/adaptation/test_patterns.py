"""A pattern of a caller's is matched in a process of its own, and costs nobody else anything."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psutil
import pytest

from adaptation.workers import patterns
from memory.identity.answers import Answer

SLOW = "^(a|aa)+$"
"""Backtracks over what it does not match; a few letters are a second."""


def workers() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # a dead one of another test
            if "adaptation.workers.pattern_worker" in each.cmdline():
                found.append(each)
    return found


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        ("ans=([0-9]+)", "ans=1, or rather ans=42", Answer("42", "42", structured=True)),
        ("[a-z]+", "ONE kite", Answer("kite", "kite", structured=True)),
        ("ans=([0-9]+)", "nothing of the sort", None),
        ("x", "\ud800x", Answer("x", "x", structured=True)),
    ],
)
async def test_a_pattern_finds_its_last_match(
    pattern: str, text: str, answer: Answer | None
) -> None:
    assert await patterns.find(pattern, text) == answer


async def test_a_slow_pattern_finds_nothing_and_the_event_loop_stays_free() -> None:
    await patterns.find("a", "a")
    finding = asyncio.create_task(patterns.find(SLOW, "a" * 60 + "!"))
    turns = 0
    while not finding.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert await finding is None
    assert turns > 10, "the loop had turns while the pattern was at work"
    assert await patterns.find("[0-9]", "7") == Answer("7", "7", structured=True)


async def test_a_process_that_is_killed_over_a_pattern_is_replaced() -> None:
    await patterns.find("a", "a")
    finding = asyncio.create_task(patterns.find(SLOW, "a" * 60 + "!"))
    await asyncio.sleep(0.05)
    for worker in workers():
        worker.kill()
    assert await finding is None
    assert await patterns.find("[0-9]", "7") == Answer("7", "7", structured=True)
