"""`/ready` asks its parts now and then, and never waits long for one that hangs."""

from __future__ import annotations

import asyncio
import threading

from server.routes.ready import Probe


async def test_many_callers_share_one_look_at_the_storage() -> None:
    looks: list[None] = []
    probe = Probe(lambda: looks.append(None))
    await asyncio.gather(*(probe.problem() for _ in range(50)))
    assert await probe.problem() is None
    assert len(looks) == 1


async def test_a_word_that_is_old_is_asked_for_again() -> None:
    words = iter([None, "the disk is full", None])
    probe = Probe(lambda: next(words), age_s=0)
    assert [await probe.problem() for _ in range(3)] == [None, "the disk is full", None]


async def test_a_check_that_hangs_is_named_and_asked_once() -> None:
    let_go, looks = threading.Event(), []

    def hang() -> None:
        looks.append(None)
        let_go.wait()

    probe = Probe(hang, age_s=0)
    said = [await probe.problem(patience_s=0.01) for _ in range(3)]
    let_go.set()
    assert said == ["does not answer"] * 3
    assert len(looks) == 1
