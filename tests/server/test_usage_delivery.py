"""What requests cost arrives at a sink of CloudEvents, whatever the sink does."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from adaptation.report import SampleCounts, TokenCounts
from server.config import ConfigError, Settings
from server.telemetry.notes import RequestNote
from server.usage import delivery
from server.usage.delivery import usage_events
from server.usage.event import event_of
from server.usage.journal import Journal
from tests.server.usage_sink import MODEL, Sink, note, receiving, telling


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LINGER_S", "LONGEST_PAUSE_S"):
        monkeypatch.setattr(delivery, name, 0.02)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with receiving() as found:
        yield found


def counted(registry: CollectorRegistry, outcome: str) -> float | None:
    return registry.get_sample_value("whet_usage_events_total", {"outcome": outcome})


def left_in(folder: Path) -> list[Path]:
    return list((folder / delivery.FOLDER).glob("*.jsonl"))


async def test_an_event_says_who_spent_what_and_nothing_of_what_was_said(
    sink: Sink, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("a-key\n")
    given = {"usage_events_key_file": tmp_path / "key"}
    async with telling(tmp_path / "data", sink.url, **given) as events:
        events.settled(note(1))
        await sink.has(1)
    (event,) = sink.taken
    assert event["specversion"] == "1.0"
    assert (event["source"], event["type"], event["subject"]) == ("whet", "whet.request", "acme")
    assert event["data"] == {
        "tenant": "acme",
        "end_user": "tom",
        "model": MODEL,
        "strategy": "consistency",
        "request_id": "r1",
        "path": "/v1/chat/completions",
        "prompt_tokens": 7,
        "completion_tokens": 6,
        "returned_tokens": 1,
        "losing_tokens": 2,
        "cancelled_tokens": 3,
        "training_tokens": 4,
    }
    assert sink.headers[0]["content-type"] == "application/cloudevents-batch+json"
    assert sink.headers[0]["authorization"] == "Bearer a-key"
    assert "secret" not in json.dumps(event)
    assert not left_in(tmp_path / "data")


def test_what_cost_nothing_or_is_nobodys_has_no_event() -> None:
    spent = note()
    assert event_of(note(tenant=None)) is None
    assert event_of(RequestNote(id="r", method="GET", path="/v1/models", tenant="acme")) is None
    assert event_of(spent) is not None
    assert event_of(spent) is None, "a note that settles again costs what came since"
    spent.abandoned.append((SampleCounts(started=1), TokenCounts(cancelled=5)))
    again = event_of(spent)
    assert again is not None
    assert again["data"]["completion_tokens"] == 5


async def test_a_sink_that_answers_500_gets_the_same_events_until_it_takes_them(
    sink: Sink, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    number, registry = count(), CollectorRegistry()
    sink.answer = lambda events: 500 if next(number) < 3 else 200
    async with telling(tmp_path, sink.url, registry) as events:
        for each in range(250):
            events.settled(note(each))
        await sink.has(250)
    assert Counter(each["data"]["request_id"] for each in sink.taken) == Counter(
        f"r{each}" for each in range(250)
    )
    assert len({each["id"] for each in sink.taken}) == 250
    assert sink.tries[0] == sink.tries[1] == sink.tries[2] == sink.tries[3]
    assert counted(registry, "sent") == 250
    told = [each.levelname for each in caplog.records if "the sink says 500" in each.getMessage()]
    assert told == ["WARNING"], "an outage is one line, and loses nothing"


async def test_a_slow_sink_holds_nobody_up(
    sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "ANSWER_S", 0.05)
    sink.delay_s = 0.3
    sink.answer = lambda events: 200 if sink.delay_s == 0 else 503
    async with telling(tmp_path, sink.url) as events:
        for each in range(100):
            events.settled(note(each))
        assert len(sink.tries) < 100, "an event does not wait for the sink"
        while len(sink.tries) < 2:  # noqa: ASYNC110 - the sink has a thread of its own
            await asyncio.sleep(0.01)
        sink.delay_s = 0.0
        monkeypatch.setattr(delivery, "ANSWER_S", 10.0)
        await sink.has(100)


async def test_what_a_sink_that_is_gone_did_not_take_the_next_server_delivers(
    sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "CLOSING_S", 0.1)
    async with telling(tmp_path, "http://127.0.0.1:9/gone") as events:
        for each in range(5):
            events.settled(note(each))
        await asyncio.sleep(0.1)
    assert left_in(tmp_path)
    async with telling(tmp_path, sink.url):
        await sink.has(5)
    assert [each["data"]["returned_tokens"] for each in sink.taken] == [0, 1, 2, 3, 4]
    assert not left_in(tmp_path)


def test_a_killed_servers_events_are_taken_over_and_a_living_ones_are_not(tmp_path: Path) -> None:
    alive, killed = Journal(tmp_path), Journal(tmp_path)
    assert alive.open() == killed.open() == []
    alive.append([{"id": "alive"}])
    killed.append([{"id": "old"}])
    assert killed._file is not None
    killed._file.write('{"id": "cut sho')
    killed._file.close()
    with killed._path.open("ab") as file:
        file.write(b"\xff")
    new = Journal(tmp_path)
    assert new.open() == [{"id": "old"}]
    new.close()
    after = Journal(tmp_path)
    assert after.open() == [{"id": "old"}], "it was written down before it was deleted"
    after.close()
    alive.close()


def test_a_file_that_is_written_anew_is_whole_and_still_held(tmp_path: Path) -> None:
    alive = Journal(tmp_path)
    assert alive.open() == []
    alive.append([{"id": "delivered"}, {"id": "waits"}])
    alive.replace([{"id": "waits"}])
    alive.append([{"id": "new"}])
    assert len(list(tmp_path.iterdir())) == 1
    other = Journal(tmp_path)
    assert other.open() == [], "a living server's file is its own"
    other.close()
    alive.close()
    after = Journal(tmp_path)
    assert after.open() == [{"id": "waits"}, {"id": "new"}]
    after.close()


async def test_an_event_that_is_refused_takes_no_other_along(sink: Sink, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    sink.answer = lambda sent: 400 if any(e["data"]["request_id"] == "r7" for e in sent) else 200
    async with telling(tmp_path, sink.url, registry) as events:
        for each in range(20):
            events.settled(note(each))
        await sink.has(19)
    assert "r7" not in {each["data"]["request_id"] for each in sink.taken}
    assert (counted(registry, "sent"), counted(registry, "refused")) == (19, 1)
    assert [len(each) for each in sink.tries] == [20, *[1] * 8, 12]


async def test_what_finds_no_room_is_counted_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(delivery, "MOST", 10)
    monkeypatch.setattr(delivery, "CLOSING_S", 0.1)
    registry = CollectorRegistry()
    async with telling(tmp_path, "http://127.0.0.1:9/gone", registry) as events:
        for each in range(25):
            events.settled(note(each))
    assert counted(registry, "dropped") == 15
    told = [each.levelname for each in caplog.records if "are dropped" in each.getMessage()]
    assert told == ["ERROR"]


async def test_a_journal_holds_no_more_than_what_waits(sink: Sink, tmp_path: Path) -> None:
    async with telling(tmp_path, sink.url) as events:
        for each in range(300):
            events.settled(note(each))
            await asyncio.sleep(0)
        await sink.has(300)
        async with asyncio.timeout(10):
            while any(path.stat().st_size for path in left_in(tmp_path)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert left_in(tmp_path)


async def test_no_sink_is_no_events_and_a_key_that_is_not_there_stops_the_start(
    tmp_path: Path,
) -> None:
    async with usage_events(Settings(data_dir=tmp_path), CollectorRegistry()) as events:
        assert events is None
    with pytest.raises(ConfigError, match="usage_events_key_file"):
        async with telling(tmp_path, "http://127.0.0.1:9", usage_events_key_file=tmp_path / "no"):
            pass
