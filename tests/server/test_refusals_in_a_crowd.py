"""Of those who are turned away together one has a line, and the others are in one."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from server.http.admission import Away, Occupancy, Turnstile
from server.telemetry import crowd
from server.telemetry.crowd import Crowd
from server.telemetry.notes import RequestNote, working_on
from server.telemetry.request_log import LogRules, RequestLog
from tests.server.telemetry_lines import logged


async def nothing(*given: Any) -> Any:
    """What answers nobody, receives nothing and sends nothing."""


async def test_a_window_has_a_first_and_tells_of_the_others_when_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowd, "WINDOW_S", 0.01)
    waiting = Crowd()
    with logged() as log:
        with working_on(RequestNote(id="req_1", method="POST", path="/")):
            assert [waiting.is_first() for _ in range(40)] == [True] + [False] * 39
        while not log.requests:  # noqa: ASYNC110 (a timer writes)
            await asyncio.sleep(0.01)
        assert waiting.is_first(), "of the next window"
        waiting.tell()
    (line,) = log.requests
    assert (line["level"], line["refused"]) == ("warning", 39)
    assert "request_id" not in line, "it is about all of them"


async def test_those_who_were_turned_away_last_are_told_when_the_server_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowd, "WINDOW_S", 3600.0)
    full = RequestLog(Turnstile(nothing, 0, Occupancy(), Away()), LogRules())
    with logged() as log:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(full)) as http:
            for _ in range(3):
                response = await http.post("http://whet/v1/chat/completions")
                assert response.status_code == 503
        await full({"type": "lifespan"}, nothing, nothing)
    assert [line.get("refused") for line in log.requests] == [None, 2]
