"""Two tenants on one server: nothing of one is visible to the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from adaptation.errors import EngineError
from memory.tenants import Limits
from memory.types import Draft, Message, Tier
from server.adapters.champions import IN_USE
from server.tenancy.issuing import make
from server.tenancy.principal import Role
from tests.server.composed import ASK, MODEL, STORY, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


class Tenant:
    """One customer of a server, with a key of its own."""

    def __init__(self, server: Composed, name: str, role: Role = Role.ADMIN) -> None:
        parts = server.parts
        made = make(parts.memory.keys, parts.secret, name, role, "", None)
        parts.keyring.forget()
        self.name, self.key = name, made["key"]
        self.headers = {"authorization": f"Bearer {self.key}"}
        self._http = server.http

    async def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        sent = {"json": body} if body else {}
        return await self._http.request(method, path, headers=self.headers, **sent)


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as found:
        yield found


async def test_nothing_that_one_left_is_found_by_the_other(server: Composed) -> None:
    acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
    answer = (await acme.ask("POST", CHAT, **ASK)).json()
    completion = answer["id"]
    feedback = {"completion_id": completion, "verdict": "correct"}
    assert (await globex.ask("POST", "/v1/feedback", **feedback)).status_code == 404
    assert (await globex.ask("GET", f"/v1/reports/{completion}")).status_code == 404
    assert (await acme.ask("GET", f"/v1/reports/{completion}")).status_code == 200
    record = (await acme.ask("POST", "/v1/feedback", **feedback)).json()["record"]["id"]
    path = f"/v1/memory/records/{record}"
    assert (await acme.ask("GET", path)).status_code == 200
    for method in ("GET", "DELETE"):
        assert (await globex.ask(method, path)).status_code == 404
    assert (await globex.ask("GET", "/v1/memory/records")).json()["data"] == []
    assert (await globex.ask("GET", "/v1/memory/export")).text == ""
    assert (await acme.ask("GET", path)).json()["state"] == "active"


async def test_what_one_verified_is_not_the_others_answer(server: Composed) -> None:
    acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
    asked = (Message(role="user", content=STORY),)
    server.memory.save(
        Draft(tenant="acme", messages=asked, answer="15", rationale="#### 15", tier=Tier.EXECUTABLE)
    )
    remembered = (await acme.ask("POST", CHAT, **ASK)).json()["adaptation"]
    assert (remembered["stop_reason"], remembered["answer"]) == ("remembered", "15")
    own = (await globex.ask("POST", CHAT, **ASK)).json()["adaptation"]
    assert (own["stop_reason"] == "remembered", own["answer"]) == (False, "14")


async def test_a_response_exists_for_its_own_tenant_only(server: Composed) -> None:
    acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
    made = (await acme.ask("POST", RESPONSES, model=MODEL, input=STORY)).json()["id"]
    path = f"{RESPONSES}/{made}"
    unknown = (await globex.ask("GET", f"{RESPONSES}/resp_none")).json()["error"]
    at_items = f"{path}/input_items"
    for method, at in (
        ("GET", path),
        ("POST", f"{path}/cancel"),
        ("GET", at_items),
        ("DELETE", path),
    ):
        refused = await globex.ask(method, at)
        assert refused.status_code == 404
        assert refused.json()["error"] == {
            **unknown,
            "message": unknown["message"].replace("resp_none", made),
        }
    went_on = {"model": MODEL, "input": "And now?", "previous_response_id": made}
    assert (await globex.ask("POST", RESPONSES, **went_on)).status_code == 404
    assert (await acme.ask("GET", path)).status_code == 200
    assert (await acme.ask("POST", RESPONSES, **went_on)).status_code == 200


async def test_what_one_stores_takes_no_place_among_what_others_do(
    server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
    asked = {"model": MODEL, "input": STORY}
    made = (await acme.ask("POST", RESPONSES, **asked)).json()["id"]
    monkeypatch.setattr("memory.history.response_rows.MOST_RESPONSES", 1)
    other = (await globex.ask("POST", RESPONSES, **asked)).json()["id"]
    await globex.ask("POST", RESPONSES, **asked, store=False)
    assert (await acme.ask("GET", f"{RESPONSES}/{made}")).status_code == 200
    assert (await globex.ask("GET", f"{RESPONSES}/{other}")).status_code == 200
    await globex.ask("POST", RESPONSES, **asked)
    assert (await globex.ask("GET", f"{RESPONSES}/{other}")).status_code == 404
    assert (await acme.ask("GET", f"{RESPONSES}/{made}")).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, ASK),
        ("/v1/completions", {"model": MODEL, "prompt": STORY}),
        (RESPONSES, {"model": MODEL, "input": STORY}),
        ("/v1/messages", {**ASK, "max_tokens": 16}),
        ("/invocations", ASK),
        ("/v1/chat/completions/batch", {**ASK, "messages": [ASK["messages"]]}),
    ],
)
async def test_prefix_caches_are_apart_whatever_a_client_asks_for(
    server: Composed, path: str, body: dict[str, Any]
) -> None:
    salts = []
    for tenant in (Tenant(server, "acme"), Tenant(server, "globex")):
        server.core.taken.clear()
        answer = await tenant.ask("POST", path, **body, cache_salt="shared")
        assert answer.status_code == 200, answer.text
        salts.append({request.cache_salt for request in server.core.taken})
    assert salts == [{server.parts.secret.salt_of(name)} for name in ("acme", "globex")]


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ({}, 200),
        ({"model": MODEL}, 200),
        ({"model": f"{MODEL}:plain"}, 200),
        ({"model": "ft:whet-pebble:globex::abc123"}, 404),
        ({"model": "none"}, 404),
    ],
)
async def test_no_invocation_is_answered_by_another_model_than_it_names(
    server: Composed, named: dict[str, str], status: int
) -> None:
    """vLLM takes the name out of a header there, and passes over the one in the body."""
    asked = {"messages": ASK["messages"], **named}
    answer = await Tenant(server, "acme").ask("POST", "/invocations", **asked)
    assert answer.status_code == status, answer.text
    assert status == 200 or "X-Amzn-SageMaker-Adapter-Identifier" in answer.text


async def test_scoring_keeps_prefix_caches_apart_too(server: Composed) -> None:
    acme = Tenant(server, "acme")
    server.memory.tenants.set("acme", Limits(requests_per_minute=100))
    labels = {"model": MODEL, "query": "?", "items": ["a"], "label_token_ids": [1, 2]}
    server.core.taken.clear()
    scored = await acme.ask("POST", "/generative_scoring", **labels, cache_salt="shared")
    assert [request.cache_salt for request in server.core.taken] == [
        server.parts.secret.salt_of("acme")
    ]
    assert "x-ratelimit-limit-requests" in scored.headers, "it counts as others do"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 403),
        ("GET", "/metrics/", 403),
        ("GET", "/metricsX", 403),
        ("GET", "/metrics%0A", 404),
        ("OPTIONS", "/metrics/", 403),
        ("GET", "/v1/admin/tenants%0A", 404),
        ("GET", "/v1/memory/records%0A", 404),
        ("POST", "/v1/chat/completions%0A", 404),
        ("OPTIONS", "/v1/chat/completions", 405),
        ("GET", "http://127.0.0.1//metrics", 404),
    ],
)
async def test_no_spelling_of_a_path_opens_what_is_not_a_users(
    server: Composed, method: str, path: str, status: int
) -> None:
    user = Tenant(server, "acme", Role.USER)
    assert (await user.ask(method, path)).status_code == status
    assert (await server.http.request(method, path)).status_code in (401, 404)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {**ASK, "adaptation": {"strategy": "plain"}}),
        (CHAT, {**ASK, "adaptation": {"strategy": "consistency"}}),
        ("/v1/messages", {**ASK, "max_tokens": 16}),
    ],
)
async def test_who_finds_no_place_for_its_champion_is_told_to_come_again(
    server: Composed, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    @asynccontextmanager
    async def use(tenant: str) -> AsyncIterator[None]:
        raise EngineError(IN_USE)
        yield

    monkeypatch.setattr(server.parts.champions, "use", use)
    refused = await Tenant(server, "acme").ask("POST", path, **body)
    assert refused.status_code == 503, refused.text
    assert "--max-champions" in refused.text
    assert "retry-after" in refused.headers


async def test_keys_are_made_and_seen_within_a_tenant_and_by_the_operator(
    server: Composed,
) -> None:
    acme, operator = Tenant(server, "acme"), Tenant(server, "default")
    path = "/v1/admin/keys"
    made = (await acme.ask("POST", path, role="user", name="app")).json()
    assert (made["tenant"], made["role"]) == ("acme", "user")
    app = {"authorization": f"Bearer {made['key']}"}
    assert (await server.http.post(CHAT, json=ASK, headers=app)).status_code == 200
    assert (await server.http.get(path, headers=app)).status_code == 403
    assert (await acme.ask("POST", path, tenant="globex")).status_code == 403
    theirs = (await operator.ask("POST", path, tenant="globex")).json()
    assert theirs["tenant"] == "globex"
    listed = (await acme.ask("GET", path)).json()["data"]
    assert {key["tenant"] for key in listed} == {"acme"}
    assert not any("key" in key or "digest" in key for key in listed)
    assert len((await operator.ask("GET", path)).json()["data"]) == 4
    assert (await acme.ask("DELETE", f"{path}/{theirs['id']}")).status_code == 404
    rotated = (await acme.ask("POST", f"{path}/{made['id']}/rotate", grace_s=0)).json()
    assert (await server.http.post(CHAT, json=ASK, headers=app)).status_code == 401
    assert (await acme.ask("DELETE", f"{path}/{rotated['id']}")).json()["is_valid"] is False


@pytest.mark.parametrize(
    ("body", "param"),
    [({"tenant": "../x"}, "tenant"), ({"role": "root"}, "role"), ({"rolle": "user"}, "rolle")],
)
async def test_a_key_that_makes_no_sense_is_refused(
    server: Composed, body: dict[str, Any], param: str
) -> None:
    refused = await server.http.post("/v1/admin/keys", json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param


async def test_ready_tells_strangers_nothing_of_the_parts(server: Composed) -> None:
    assert "trainer" in (await server.http.get("/ready")).json()
    acme = Tenant(server, "acme")
    assert (await server.http.get("/ready")).json() == {"status": "ready"}
    assert (await acme.ask("GET", "/ready")).json() == {"status": "ready"}
    assert "trainer" in (await Tenant(server, "default").ask("GET", "/ready")).json()


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ({"user": "u-17"}, "u-17"),
        ({"safety_identifier": "s-4", "user": "u-17"}, "s-4"),
        ({"user": "x" * 1000}, "x" * 256),
        ({"user": " "}, None),
        ({}, None),
    ],
)
async def test_a_record_says_which_of_its_tenants_users_asked(
    server: Composed, named: dict[str, str], kept: str | None
) -> None:
    answer = (await server.chat(**named))["adaptation"]
    (record,) = server.memory.list("default")
    assert answer["memory"]["saved"] == record.id
    assert record.evidence.get("end_user") == kept
