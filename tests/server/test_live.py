"""Watchers of requests: told in order, never waited for, and told what they missed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from adaptation.options import Options, Strategy
from adaptation.report import AnswerCount, Report, StopReason
from adaptation.types import Outcome, Query, Sample
from memory.identity.answers.answer import Answer
from memory.types import Message
from server.refusals.errors import ApiError
from server.routes.traces import _events
from server.telemetry.live import MOST_WATCHERS, Live, Watcher

MODEL = "whet-pebble"


def query(tenant: str = "ann", question: str = "two and two?", **fields: Any) -> Query:
    asked = (Message(role="user", content=question),)
    return Query("c1", tenant, asked, None, Options(strategy=Strategy.CONSISTENCY), **fields)


def outcome() -> Outcome:
    report = Report(
        strategy=Strategy.CONSISTENCY,
        requested=Strategy.CONSISTENCY,
        stop_reason=StopReason.CONFIDENT,
        answer="4",
    )
    return Outcome((Sample(0, "It is 4.", 4, "stop"),), report)


async def voted(asked: Query) -> Outcome:
    """A pipeline that counts one sample."""
    sample = Sample(0, "It is 4.", 4, "stop", answer=Answer("4", "n:4", structured=True))
    assert asked.notify is not None
    asked.notify(
        sample, lambda: (AnswerCount(answer="4", count=3), AnswerCount(answer=None, count=1))
    )
    return outcome()


async def told(watcher: Watcher) -> list[tuple[str, dict[str, Any]]]:
    found = []
    while (news := await watcher.next(0.01)) is not None:
        found.append((news[0], dict(news[1])))
    return found


async def test_a_slow_watcher_misses_the_oldest_and_is_told_how_many() -> None:
    watcher = Watcher(most=2)
    for n in range(5):
        watcher.tell(("sample", {"n": n}))
    assert await told(watcher) == [
        ("dropped", {"count": 3}),
        ("sample", {"n": 3}),
        ("sample", {"n": 4}),
    ]
    watcher.tell(("sample", {"n": 5}))
    assert await told(watcher) == [("sample", {"n": 5})]


async def test_a_vote_is_told_from_its_beginning_to_its_end() -> None:
    live = Live(voted, MODEL)
    with live.watching("ann") as watcher, live.watching("bob") as other:
        assert await live.answer(query()) == outcome()
        kinds = await told(watcher)
        assert await told(other) == []
    assert [kind for kind, _ in kinds] == ["started", "sample", "finished"]
    sample = kinds[1][1]
    assert (sample["number"], sample["answer"], sample["agreement"]) == (1, "4", 0.75)
    assert kinds[2][1]["tokens"]["returned"] == 0


async def test_who_asked_for_progress_is_told_as_before_and_nothing_is_made_for_nobody() -> None:
    counted, made = [], []

    def votes() -> tuple[AnswerCount, ...]:
        made.append(1)
        return (AnswerCount(answer="4", count=1),)

    async def answer(asked: Query) -> Outcome:
        assert asked.notify is not None
        asked.notify(Sample(0, "4", 1, "stop"), votes)
        return outcome()

    live = Live(answer, MODEL)
    await live.answer(query())
    assert made == [], "nobody watches"
    await live.answer(query(notify=lambda sample, votes: counted.append(votes())))
    assert (len(counted), len(made)) == (1, 1)


async def test_a_pipeline_that_fails_is_over_for_its_watchers() -> None:
    async def fails(asked: Query) -> Outcome:
        raise RuntimeError("no")

    live = Live(fails, MODEL)
    with live.watching("ann") as watcher:
        with pytest.raises(RuntimeError):
            await live.answer(query())
        assert [kind for kind, _ in await told(watcher)] == ["started", "finished"]
    with live.watching("ann") as watcher:
        assert await told(watcher) == [], "nothing is under way any more"


async def test_a_tenant_has_so_many_watchers_and_others_have_theirs() -> None:
    live = Live(voted, MODEL)
    with ExitStack() as watching:
        for _ in range(MOST_WATCHERS):
            watching.enter_context(live.watching("ann"))
        with pytest.raises(ApiError), live.watching("ann"):
            pass
        with live.watching("bob"):
            pass
    with live.watching("ann"):
        pass


async def still_admits() -> bool:
    return True


async def test_a_stream_that_never_begins_watches_no_more() -> None:
    live = Live(voted, MODEL)
    for _ in range(MOST_WATCHERS + 1):
        watching = ExitStack()
        watcher = watching.enter_context(live.watching("ann"))
        _events(watcher, watching, lambda: False, still_admits)
