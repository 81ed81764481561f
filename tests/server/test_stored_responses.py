"""Stored responses: what was asked is listed, and what is deleted is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter

from tests.server.composed import MODEL, STORY, Composed, Reply, composed, events_of

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


async def test_a_response_in_the_background_is_kept_while_it_is_made_and_when_it_is_done(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    script = lambda _: Reply("#### 14", gate=gate)  # noqa: E731
    async with composed(data_dir.parent, monkeypatch, script) as server:
        conversation = (await server.post("/v1/conversations"))["id"]
        asked = {"model": f"{MODEL}:plain", "input": STORY, "conversation": conversation}
        made = await server.post(RESPONSES, **asked, background=True)
        assert (made["status"], made["store"]) == ("queued", True)
        await server.core.begun.acquire()
        path = f"{RESPONSES}/{made['id']}"
        await _until(server, path, "in_progress")
        events = asyncio.create_task(server.http.get(f"{path}?stream=true"))
        gate.set()
        done = await _until(server, path, "completed")
        assert done["output"][0]["content"][0]["text"] == "#### 14"
        assert done["adaptation"]["strategy"] == "plain"
        (ending,) = events_of((await events).text)
        assert (ending["type"], ending["response"]) == ("response.completed", done)
        items = await server.http.get(f"/v1/conversations/{conversation}/items")
        assert len(items.json()["data"]) == 2


async def test_a_streamed_one_in_the_background_is_followed_from_any_place_also_after_a_restart(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = lambda _: Reply("#### 14")  # noqa: E731
    async with composed(data_dir.parent, monkeypatch, script) as server:
        told = await server.events(RESPONSES, model=MODEL, input=STORY, background=True)
        path = f"{RESPONSES}/{told[0]['response']['id']}?stream=true"
        assert events_of((await server.http.get(path)).text) == told
        again = events_of((await server.http.get(f"{path}&starting_after=2")).text)
        assert again == told[3:]
    async with composed(data_dir.parent, monkeypatch, script) as server:
        (ending,) = events_of((await server.http.get(f"{path}&starting_after=2")).text)
        assert ending["response"] == told[-1]["response"]
        assert ending["sequence_number"] == 3
        assert (await server.http.get(f"{path}&starting_after=-1")).status_code == 400


async def test_what_nobody_makes_any_more_after_a_restart_has_failed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.history.responses.HELD_S", 0.3)
    gate = asyncio.Event()
    script = lambda _: Reply("#### 14", gate=gate)  # noqa: E731
    async with composed(data_dir.parent, monkeypatch, script) as server:
        made = await server.post(RESPONSES, model=MODEL, input=STORY, background=True)
        await server.core.begun.acquire()
        path = f"{RESPONSES}/{made['id']}"
        async with composed(data_dir.parent, monkeypatch, script) as other:
            await asyncio.sleep(0.4)
            found = (await other.http.get(path)).json()
            assert (found["status"], found["error"]["code"]) == ("failed", "server_error")
            assert "stopped before it was done" in found["error"]["message"]
        gate.set()


async def test_cancelling_ends_what_is_made_and_leaves_what_is_done(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    script = lambda _: Reply("#### 14", gate=gate)  # noqa: E731
    async with composed(data_dir.parent, monkeypatch, script) as server:
        made = await server.post(RESPONSES, model=MODEL, input=STORY, background=True)
        await server.core.begun.acquire()
        path = f"{RESPONSES}/{made['id']}"
        for _ in range(2):
            cancelled = await server.http.post(f"{path}/cancel")
            assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        assert server.core.aborted
        gate.set()
        asked = {"model": MODEL, "input": STORY}
        done = await server.post(RESPONSES, **asked, background=True)
        await _until(server, f"{RESPONSES}/{done['id']}", "completed")
        left = await server.http.post(f"{RESPONSES}/{done['id']}/cancel")
        assert left.json()["status"] == "completed"
        whole = await server.post(RESPONSES, **asked)
        assert (await server.http.post(f"{RESPONSES}/{whole['id']}/cancel")).status_code == 400
        assert (await server.http.get(f"{RESPONSES}/{whole['id']}?stream=true")).status_code == 400


async def _until(server: Composed, path: str, status: str) -> dict[str, Any]:
    for _ in range(500):
        found: dict[str, Any] = (await server.http.get(path)).json()
        if found["status"] == status:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{path} is {found['status']}")


async def test_what_is_asked_comes_back_as_it_was_sent(server: Composed) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    asked = [
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tea?"}]},
        call,
        {"type": "function_call_output", "call_id": "call_1", "output": "3"},
        {"role": "user", "content": "x" * 300_000},
    ]
    small = [*asked[:4], {"role": "user", "content": "y" * 3000}]
    made = await server.post(RESPONSES, model=f"{MODEL}:plain", input=small)
    path = f"{RESPONSES}/{made['id']}/input_items?order=asc&include[]=reasoning.encrypted_content"
    found = (await server.http.get(path)).json()["data"]
    kinds = [ITEM.validate_python(item).type for item in found]
    assert kinds == ["message", "message", "function_call", "function_call_output", "message"]
    assert {key: found[2][key] for key in call} == call
    assert found[4]["content"][0]["text"] == "y" * 3000
    too_long = {"model": MODEL, "input": asked}
    assert (await server.http.post(RESPONSES, json=too_long)).status_code == 400


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
