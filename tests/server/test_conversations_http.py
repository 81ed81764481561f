"""`/v1/conversations` by OpenAI's own client, and what it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.conversations import Conversation, ConversationItemList
from openai.types.conversations.conversation_deleted_resource import ConversationDeletedResource

from memory.types import Draft, Message, Tier
from tests.server.composed import MODEL, STORY, Composed, Reply, composed
from tests.server.tenancy.test_tenants_http import Tenant
from tests.server.test_going_on import client_of

PATH = "/v1/conversations"
ITEMS: list[Any] = [
    {"role": "user", "content": "One?"},
    {"type": "message", "role": "assistant", "content": "Yes."},
    {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "7"},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Two?"}]},
]


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as found:
        yield found


async def test_a_conversation_is_made_read_changed_and_erased(server: Composed) -> None:
    client = client_of(server)
    made = await client.conversations.create(metadata={"topic": "tea"}, items=ITEMS)
    shown = (await server.http.get(f"{PATH}/{made.id}")).json()
    assert Conversation.model_validate(shown, strict=True) == made
    assert (shown["object"], shown["metadata"]) == ("conversation", {"topic": "tea"})
    changed = await client.conversations.update(made.id, metadata={"topic": "coffee"})
    assert changed.metadata == {"topic": "coffee"}
    assert (await client.conversations.retrieve(made.id)).metadata == {"topic": "coffee"}
    gone = await server.http.delete(f"{PATH}/{made.id}")
    assert ConversationDeletedResource.model_validate(gone.json(), strict=True).deleted
    for path in ("", "/items"):
        assert (await server.http.get(f"{PATH}/{made.id}{path}")).status_code == 404


async def test_items_are_in_openais_form_one_by_one_and_in_pages(server: Composed) -> None:
    client = client_of(server)
    made = await client.conversations.create()
    added = await client.conversations.items.create(made.id, items=ITEMS)
    raw = (await server.http.get(f"{PATH}/{made.id}/items?order=asc&limit=100")).json()
    listed = ConversationItemList.model_validate(raw)
    assert [item.id for item in listed.data] == [item.id for item in added.data]
    kinds = ["message", "message", "function_call", "function_call_output", "message"]
    assert [item.type for item in listed.data] == kinds
    assert [item["id"].split("_")[0] for item in raw["data"]] == ["msg", "msg", "fc", "fco", "msg"]
    one = await client.conversations.items.retrieve(listed.data[3].id, conversation_id=made.id)
    assert one == listed.data[3]
    left = await client.conversations.items.delete(listed.data[3].id, conversation_id=made.id)
    assert left.id == made.id
    with pytest.raises(openai.NotFoundError):
        await client.conversations.items.retrieve(listed.data[3].id, conversation_id=made.id)
    rest = [item.id async for item in client.conversations.items.list(made.id, limit=1)]
    assert rest == [item.id for item in listed.data if item.id != listed.data[3].id][::-1]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=10
)
@given(count=st.integers(0, 9), limit=st.integers(1, 4), order=st.sampled_from(["asc", "desc"]))
async def test_pages_put_together_are_the_whole(
    server: Composed, count: int, limit: int, order: str
) -> None:
    items = [{"role": "user", "content": str(number)} for number in range(count)]
    made = await server.post(PATH, items=items)
    found: list[dict[str, Any]] = []
    path, has_more, after = f"{PATH}/{made['id']}/items?order={order}&limit={limit}", True, ""
    while has_more:
        page = (await server.http.get(path + after)).json()
        found, has_more = found + page["data"], page["has_more"]
        assert len(page["data"]) == limit or not has_more
        after = f"&after={page['last_id']}"
    words = [item["content"][0]["text"] for item in found]
    whole = [str(number) for number in range(count)]
    assert words == (whole if order == "asc" else whole[::-1])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": "x"}, "items"),
        ({"items": [{"role": "user", "content": "x"}] * 21}, "items"),
        ({"items": [{"type": "nonsense"}]}, "items.0.type"),
        ({"items": [{"role": "user", "content": 7}]}, "items.0.content"),
        ({"items": [{"role": "user", "content": [{"type": "x"}]}]}, "items.0.content.0.type"),
        ({"items": [{"type": "function_call", "name": "f"}]}, "items.0"),
        ({"metadata": {"k" * 65: "v"}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"metadata": {"k": 7}}, "metadata.k"),
        ({"metadata": {str(n): "v" for n in range(17)}}, "metadata"),
        ({"itmes": []}, "itmes"),
    ],
)
async def test_what_no_conversation_can_hold_is_refused(
    server: Composed, body: dict[str, Any], param: str
) -> None:
    refused = await server.http.post(PATH, json=body)
    assert refused.status_code == 400, refused.text
    assert str(refused.json()["error"]["param"]).startswith(param)


async def test_bad_names_are_refused_and_unknown_ones_are_not_there(server: Composed) -> None:
    made = (await server.post(PATH, items=ITEMS[:1]))["id"]
    for method, path, status in (
        ("GET", "/conv_none", 404),
        ("DELETE", "/conv_none", 404),
        ("GET", "/conv_none/items", 404),
        ("GET", f"/{made}/items/msg_none", 404),
        ("DELETE", f"/{made}/items/msg_none", 404),
        ("GET", f"/{made}/items?after=msg_none", 400),
        ("GET", f"/{made}/items?limit=0", 400),
        ("GET", f"/{made}/items?limit=101", 400),
        ("GET", f"/{made}/items?order=up", 400),
        ("GET", f"/{'x' * 200}", 400),
        ("GET", "/.hidden", 400),
    ):
        refused = await server.http.request(method, PATH + path)
        assert refused.status_code == status, path
        assert refused.json()["error"]["message"]
    assert (await server.http.post(f"{PATH}/conv_none", json={"metadata": {}})).status_code == 404
    body = {"items": ITEMS[:1]}
    assert (await server.http.post(f"{PATH}/conv_none/items", json=body)).status_code == 404


async def test_to_another_tenant_a_conversation_was_never_there(server: Composed) -> None:
    acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
    made = (await acme.ask("POST", PATH, items=ITEMS)).json()["id"]
    item = (await acme.ask("GET", f"{PATH}/{made}/items")).json()["first_id"]
    for method, path, body in (
        ("GET", "", {}),
        ("POST", "", {"metadata": {"a": "b"}}),
        ("GET", "/items", {}),
        ("POST", "/items", {"items": ITEMS[:1]}),
        ("GET", f"/items/{item}", {}),
        ("DELETE", f"/items/{item}", {}),
        ("DELETE", "", {}),
    ):
        theirs = await globex.ask(method, f"{PATH}/{made}{path}", **body)
        unknown = await globex.ask(method, f"{PATH}/conv_none{path}", **body)
        assert theirs.status_code == unknown.status_code == 404
        assert theirs.text.replace(made, "conv_none") == unknown.text
    asked = {"model": MODEL, "input": "Hi", "conversation": made}
    assert (await globex.ask("POST", "/v1/responses", **asked)).status_code == 404
    assert (await acme.ask("POST", "/v1/responses", **asked)).status_code == 200
    assert len((await acme.ask("GET", f"{PATH}/{made}/items")).json()["data"]) == 7


async def test_a_tenants_limit_holds_for_conversations_and_its_oldest_responses_make_room(
    server: Composed,
) -> None:
    operator, acme = Tenant(server, "default"), Tenant(server, "acme")
    await operator.ask("PUT", "/v1/admin/tenants/acme", responses_mb=1)
    large = [{"role": "user", "content": "x" * 600_000}]
    asked = {"model": f"{MODEL}:plain", "input": STORY}
    old = (await acme.ask("POST", "/v1/responses", **asked)).json()["id"]
    made = await acme.ask("POST", PATH, items=large)
    assert made.status_code == 200
    assert (await acme.ask("POST", PATH, items=large)).status_code == 409
    assert (await acme.ask("GET", f"/v1/responses/{old}")).status_code == 200
    more = [{"role": "user", "content": "y" * 390_000}]
    path = f"{PATH}/{made.json()['id']}/items"
    assert (await acme.ask("POST", path, items=more)).status_code == 200
    answers = [(await acme.ask("POST", "/v1/responses", **asked)).json() for _ in range(6)]
    assert all(answer["store"] for answer in answers)
    assert (await acme.ask("GET", f"/v1/responses/{old}")).status_code == 404
    assert (await acme.ask("GET", f"/v1/responses/{answers[-1]['id']}")).status_code == 200


async def test_erasing_a_record_reaches_conversations(server: Composed) -> None:
    made = (await server.post(PATH, items=ITEMS))["id"]
    asked = {"model": MODEL, "input": STORY, "conversation": made}
    answer = await server.post("/v1/responses", **asked)
    draft = Draft(
        tenant="default",
        messages=(Message(role="user", content=STORY),),
        answer="14",
        rationale="#### 14",
        tier=Tier.EXECUTABLE,
    )
    record = server.memory.save(draft).record.id
    assert (await server.http.delete(f"/v1/memory/records/{record}")).status_code == 200
    assert (await server.http.get(f"/v1/responses/{answer['id']}")).status_code == 404
    left = (await server.http.get(f"{PATH}/{made}/items")).json()["data"]
    assert len(left) == len(ITEMS)
    assert STORY not in str(left)
