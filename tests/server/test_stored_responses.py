"""Stored responses: what was asked is listed, and what is deleted is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter

from tests.server.composed import MODEL, STORY, Composed, Reply, composed

RESPONSES = "/v1/responses"
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)
ASKED = [
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "Yes, one."},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": STORY}]},
]


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as found:
        yield found


async def test_what_a_response_was_asked_is_listed_in_openais_form(server: Composed) -> None:
    made = await server.post(RESPONSES, model=MODEL, input=ASKED)
    path = f"{RESPONSES}/{made['id']}/input_items"
    found = (await server.http.get(path)).json()
    assert [ITEM.validate_python(item).type for item in found["data"]] == ["message"] * 3
    texts = [item["content"][0]["text"] for item in found["data"]]
    assert texts == [STORY, "Yes, one.", "One?"], "the last comes first"
    assert (found["first_id"], found["last_id"]) == (
        found["data"][0]["id"],
        found["data"][2]["id"],
    )
    again = (await server.http.get(f"{path}?order=asc&limit=2")).json()
    assert [item["id"] for item in again["data"]] == [found["data"][n]["id"] for n in (2, 1)]
    assert again["has_more"]
    rest = (await server.http.get(f"{path}?order=asc&after={again['last_id']}")).json()
    assert [item["id"] for item in rest["data"]] == [found["data"][0]["id"]]
    assert not rest["has_more"]
    assert (await server.http.get(f"{path}?after=msg_none")).status_code == 400


async def test_a_text_is_one_message(server: Composed) -> None:
    made = await server.post(RESPONSES, model=MODEL, input=STORY)
    found = (await server.http.get(f"{RESPONSES}/{made['id']}/input_items")).json()["data"]
    assert [(item["role"], item["content"]) for item in found] == [
        ("user", [{"type": "input_text", "text": STORY}])
    ]


async def test_a_deleted_response_can_be_neither_retrieved_nor_gone_on_with(
    server: Composed,
) -> None:
    made = await server.post(RESPONSES, model=MODEL, input=STORY)
    path = f"{RESPONSES}/{made['id']}"
    deleted = await server.http.delete(path)
    assert deleted.json() == {"id": made["id"], "object": "response", "deleted": True}
    for method, at in (("GET", path), ("GET", f"{path}/input_items"), ("DELETE", path)):
        assert (await server.http.request(method, at)).status_code == 404
    went_on = {"model": MODEL, "input": "And?", "previous_response_id": made["id"]}
    assert (await server.http.post(RESPONSES, json=went_on)).status_code == 404


async def test_one_that_is_not_stored_is_not_there(server: Composed) -> None:
    made = await server.post(RESPONSES, model=MODEL, input=STORY, store=False)
    for method in ("GET", "DELETE"):
        answer = await server.http.request(method, f"{RESPONSES}/{made['id']}")
        assert answer.status_code == 404


async def test_one_that_is_being_made_ends_with_its_deletion(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    async with composed(
        data_dir.parent, monkeypatch, lambda _: Reply("#### 14", gate=gate)
    ) as server:
        made = await server.post(RESPONSES, model=MODEL, input=STORY, background=True)
        await server.core.begun.acquire()
        path = f"{RESPONSES}/{made['id']}"
        assert (await server.http.delete(path)).status_code == 200
        gate.set()
        await asyncio.sleep(0.1)
        assert (await server.http.get(path)).status_code == 404
        assert server.core.aborted
