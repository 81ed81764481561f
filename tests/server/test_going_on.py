"""What goes on from a stored response or a conversation, by OpenAI's own client: the whole of what
was said is asked, whichever server stored it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import event

from memory.errors import StorageUnavailableError
from tests.server.composed import MODEL, STORY, Composed, Reply, composed, events_of

PLAIN = f"{MODEL}:plain"
RESPONSES = "/v1/responses"
CALL = 'Let me see.\n<tool_call>\n{"name": "price", "arguments": {"of": "tea"}}\n</tool_call>'
TOOL: dict[str, Any] = {
    "type": "function",
    "name": "price",
    "parameters": {"type": "object", "properties": {"of": {"type": "string"}}},
    "strict": False,
}
REFUSED = (openai.NotFoundError, openai.BadRequestError)


def client_of(server: Composed) -> AsyncOpenAI:
    """OpenAI's client, in this process."""
    return AsyncOpenAI(
        api_key="none", base_url="http://127.0.0.1/v1", http_client=server.http, max_retries=0
    )


def prompt_of(server: Composed, place: int = -1) -> str:
    """What the engine was asked, as text."""
    asked: str = server.core._tokenizer.decode(server.core.taken[place].prompt_token_ids)
    return asked


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as found:
        yield found


async def test_the_prompt_is_that_of_the_whole_conversation_sent_again(server: Composed) -> None:
    client = client_of(server)
    first = await client.responses.create(model=PLAIN, input=STORY, instructions="Be brief.")
    second = await client.responses.create(
        model=PLAIN, input="And two more?", previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    await client.responses.create(
        model=PLAIN, input="Sure?", instructions="Be kind.", previous_response_id=second.id
    )
    whole = [
        {"role": "user", "content": STORY},
        {"role": "assistant", "content": first.output_text},
        {"role": "user", "content": "And two more?"},
        {"role": "assistant", "content": second.output_text},
        {"role": "user", "content": "Sure?"},
    ]
    await client.responses.create(model=PLAIN, input=whole, instructions="Be kind.")  # type: ignore[arg-type]
    assert prompt_of(server) == prompt_of(server, -2)
    assert "Be brief." not in prompt_of(server)
    asked = [item async for item in client.responses.input_items.list(second.id)]
    assert len(asked) == 1, "what it was asked itself"


@pytest.mark.parametrize("mode", ["previous", "conversation"])
async def test_a_call_and_its_result_go_round_after_a_restart(
    mode: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def serving() -> AsyncIterator[Composed]:
        async with composed(data_dir.parent, monkeypatch, lambda _: Reply(CALL)) as found:
            yield found

    tools: Any = [TOOL]
    asked: dict[str, Any] = {"model": PLAIN, "tools": tools}
    async with serving() as server:
        client = client_of(server)
        within = (await client.conversations.create()).id if mode == "conversation" else None
        more: dict[str, Any] = {"conversation": within} if within else {}
        first = await client.responses.create(input="What is the tea?", **asked, **more)
        call = next(item for item in first.output if item.type == "function_call")
    async with serving() as server:
        client = client_of(server)
        assert (await client.responses.retrieve(first.id)).model_dump() == first.model_dump()
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "3 francs"}
        more = {"conversation": within} if within else {"previous_response_id": first.id}
        second = await client.responses.create(input=[result], **asked, **more)  # type: ignore[list-item]
        whole = [{"role": "user", "content": "What is the tea?"}]
        whole += [item.model_dump(exclude_none=True) for item in first.output]
        await client.responses.create(input=[*whole, result], **asked)  # type: ignore[list-item]
        assert prompt_of(server) == prompt_of(server, -2)
        assert "3 francs" in prompt_of(server)
        assert second.status == "completed"


async def test_another_server_of_the_same_database_goes_on(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = lambda _: Reply("#### 14")  # noqa: E731
    async with (
        composed(data_dir.parent, monkeypatch, script) as one,
        composed(data_dir.parent, monkeypatch, script) as two,
    ):
        first = await client_of(one).responses.create(model=PLAIN, input=STORY)
        await client_of(two).responses.create(
            model=PLAIN, input="And now?", previous_response_id=first.id
        )
        assert STORY in prompt_of(two)
        await client_of(two).responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            await client_of(one).responses.retrieve(first.id)


async def test_what_was_said_before_is_part_of_the_question_that_memory_knows(
    server: Composed,
) -> None:
    client = client_of(server)
    first = await client.responses.create(model=PLAIN, input=STORY)
    second = await client.responses.create(
        model=MODEL, input="And doubled?", previous_response_id=first.id
    )
    feedback = {"completion_id": second.id, "verdict": "correct"}
    assert server.memory.completions.flush()
    said = (await server.post("/v1/feedback", **feedback))["record"]
    contents = [turn["content"] for turn in said["messages"]]
    assert contents == [STORY, first.output_text, "And doubled?"]
    again = await server.post(
        RESPONSES, model=MODEL, input="And doubled?", previous_response_id=first.id
    )
    assert again["adaptation"]["stop_reason"] == "remembered"
    alone = await server.post(RESPONSES, model=MODEL, input="And doubled?")
    assert alone["adaptation"]["stop_reason"] != "remembered"


async def test_a_conversation_takes_in_what_is_asked_and_answered(server: Composed) -> None:
    client = client_of(server)
    made = await client.conversations.create(
        items=[{"type": "message", "role": "developer", "content": "Be brief."}]
    )
    first = await client.responses.create(model=PLAIN, input=STORY, conversation=made.id)
    assert first.conversation is not None
    assert first.conversation.id == made.id
    second = await client.responses.create(
        model=PLAIN, input="And now?", conversation={"id": made.id}, store=False
    )
    whole = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": STORY},
        {"role": "assistant", "content": first.output_text},
        {"role": "user", "content": "And now?"},
    ]
    await client.responses.create(model=PLAIN, input=whole)  # type: ignore[arg-type]
    assert prompt_of(server) == prompt_of(server, -2)
    listed = [item async for item in client.conversations.items.list(made.id, order="asc")]
    assert [item.id for item in listed[2::2]] == [first.output[0].id, second.output[0].id]
    assert [item.content[0].text for item in listed[1::2]] == [STORY, "And now?"]  # type: ignore[union-attr]
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(second.id)


async def test_a_streamed_response_is_stored_when_its_last_event_comes(server: Composed) -> None:
    client = client_of(server)
    made = await client.conversations.create()
    async with client.responses.stream(model=PLAIN, input=STORY, conversation=made.id) as stream:
        final = await stream.get_final_response()
    stored = await client.responses.retrieve(final.id)
    assert (stored.output_text, stored.status) == (final.output_text, "completed")
    assert len([item async for item in client.conversations.items.list(made.id)]) == 2


async def test_a_stream_whose_client_leaves_is_not_stored(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    async with composed(
        data_dir.parent, monkeypatch, lambda _: Reply("#### 14", gate=gate)
    ) as server:
        conversation = await server.post("/v1/conversations")
        told: list[str] = []
        body = {"model": PLAIN, "input": STORY, "conversation": conversation["id"], "stream": True}
        await _leave_after_first_event(server, body, told)
        response_id = events_of("".join(told))[0]["response"]["id"]
        gate.set()
        await asyncio.sleep(0.2)
        assert server.core.aborted
        assert (await server.http.get(f"{RESPONSES}/{response_id}")).status_code == 404
        items = await server.http.get(f"/v1/conversations/{conversation['id']}/items")
        assert items.json()["data"] == []


async def _leave_after_first_event(server: Composed, body: dict[str, Any], told: list[str]) -> None:
    """Ask as a client that is gone as soon as it was sent something."""
    heard = asyncio.Event()
    raw = json.dumps(body).encode()
    sent = [{"type": "http.request", "body": raw, "more_body": False}]
    scope = {
        "type": "http",
        "method": "POST",
        "path": RESPONSES,
        "raw_path": RESPONSES.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"content-type", b"application/json"), (b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "asgi": {"version": "3.0"},
    }

    async def receive() -> dict[str, Any]:
        if sent:
            return sent.pop()
        await heard.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            told.append(message["body"].decode())
            heard.set()

    await asyncio.wait_for(server.app(scope, receive, send), 30)


async def test_a_full_disk_is_answered_and_said(
    server: Composed, caplog: pytest.LogCaptureFixture
) -> None:
    conversation = await server.post("/v1/conversations")

    pool = server.memory._database._engine

    def limit(connection: Any, record: object, proxy: object) -> None:
        connection.execute("PRAGMA max_page_count=1")  # what there is already is the most

    event.listen(pool, "checkout", limit)
    metadata = {str(number): "x" * 512 for number in range(16)}
    within = {"model": PLAIN, "input": STORY, "conversation": conversation["id"]}
    within["metadata"] = metadata  # more than is left of a page
    made = await server.post(RESPONSES, **within)
    assert (made["status"], made["store"], made.get("conversation")) == ("completed", False, None)
    assert "is not stored: " in caplog.text
    assert "free some space" in caplog.text
    ending = (await server.events(RESPONSES, **within))[-1]["response"]
    assert (ending["status"], ending["store"]) == ("completed", False)
    event.remove(pool, "checkout", limit)
    pool.dispose()
    for each in (made, ending):
        assert (await server.http.get(f"{RESPONSES}/{each['id']}")).status_code == 404
    items = await server.http.get(f"/v1/conversations/{conversation['id']}/items")
    assert items.json()["data"] == []
    assert (await server.post(RESPONSES, **within))["store"]


async def test_where_the_database_is_gone_nothing_goes_on_and_nothing_begins_unseen(
    server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await server.post(RESPONSES, model=PLAIN, input=STORY)

    def gone(*_: Any, **__: Any) -> None:
        raise StorageUnavailableError("the database is gone")

    monkeypatch.setattr(server.memory.responses, "get", gone)
    monkeypatch.setattr(server.memory.responses, "begin", gone)
    for body in ({"previous_response_id": made["id"]}, {"background": True}):
        for stream in (False, True):
            asked = {"model": PLAIN, "input": "Hi", "stream": stream, **body}
            refused = await server.http.post(RESPONSES, json=asked)
            assert refused.status_code == 503, body
            assert "gone" in refused.json()["error"]["message"]


async def test_one_within_another_that_is_gone_says_so(server: Composed) -> None:
    client = client_of(server)
    first = await client.responses.create(model=PLAIN, input=STORY)
    second = await client.responses.create(model=PLAIN, input="2", previous_response_id=first.id)
    await client.responses.delete(first.id)
    assert (await client.responses.retrieve(second.id)).output_text == second.output_text
    with pytest.raises(openai.NotFoundError) as caught:
        await client.responses.create(model=PLAIN, input="3", previous_response_id=second.id)
    assert caught.value.code == "previous_response_not_found"
    assert "begin anew" in caught.value.message


async def test_what_excludes_itself_or_is_not_done_is_refused(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    async with composed(
        data_dir.parent, monkeypatch, lambda _: Reply("#### 14", gate=gate)
    ) as server:
        made = (await server.post("/v1/conversations"))["id"]
        queued = await server.post(RESPONSES, model=PLAIN, input=STORY, background=True)
        for param, more in (
            ("previous_response_id", {"previous_response_id": queued["id"]}),
            ("previous_response_id", {"previous_response_id": "resp_x", "conversation": made}),
            ("previous_response_id", {"previous_response_id": 7}),
            ("previous_response_id", {"previous_response_id": "resp_x/../" + "y" * 9000}),
            ("conversation", {"conversation": 7}),
            ("conversation", {"conversation": {}}),
            ("conversation", {"conversation": {"id": 7}}),
            ("conversation", {"conversation": "conv_none"}),
        ):
            body = {"model": PLAIN, "input": "x", **more}
            refused = await server.http.post(RESPONSES, json=body)
            assert refused.status_code in (400, 404), more
            assert refused.json()["error"]["param"] == param
        gate.set()


async def test_one_made_in_a_conversation_is_gone_on_with_there(server: Composed) -> None:
    made = (await server.post("/v1/conversations"))["id"]
    within = await server.post(RESPONSES, model=PLAIN, input=STORY, conversation=made)
    asked = {"model": PLAIN, "input": "And?", "previous_response_id": within["id"]}
    refused = await server.http.post(RESPONSES, json=asked)
    assert refused.status_code == 400
    assert made in refused.json()["error"]["message"]


async def test_a_conversation_that_has_grown_too_long_is_refused(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"max_body_items": 6, "max_body_text": 4096}
    async with composed(
        data_dir.parent, monkeypatch, lambda _: Reply("#### 14"), **small
    ) as server:
        made = (await server.post("/v1/conversations"))["id"]
        asked = {"model": PLAIN, "conversation": made, "input": "x"}
        for _ in range(4):
            await server.post(RESPONSES, **asked)
        refused = await server.http.post(RESPONSES, json=asked)
        assert refused.status_code == 400
        assert "max_body_items" in refused.json()["error"]["message"]
        made = (await server.post("/v1/conversations"))["id"]
        for _ in range(2):
            item = {"role": "user", "content": "y" * 2500}
            path = f"/v1/conversations/{made}/items"
            assert (await server.http.post(path, json={"items": [item]})).status_code == 200
        refused = await server.http.post(RESPONSES, json={**asked, "conversation": made})
        assert refused.status_code == 400
        assert "bytes" in refused.json()["error"]["message"]
