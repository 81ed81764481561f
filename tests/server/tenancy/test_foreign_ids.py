"""Whatever one tenant has, under whichever route: to another it is what never was."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.tenancy.principal import Role
from tests.server.composed import ASK, MODEL, STORY, Composed, Reply, composed
from tests.server.registered import register
from tests.server.tenancy.test_tenants_http import Tenant

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
PARAMETER = re.compile(r"{(\w+)(?::path)?}")
DATA_SOURCE = {
    "type": "completions",
    "model": MODEL,
    "input_messages": {"type": "template", "template": ASK["messages"]},
    "source": {"type": "file_content", "content": [{"item": {"a": "b"}}]},
}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/v1/memory/records/{record_id}"): {"state": "quarantined"},
    ("POST", "/v1/conversations/{conversation_id}"): {"metadata": {"a": "b"}},
    ("POST", "/v1/conversations/{conversation_id}/items"): {"items": ASK["messages"]},
    ("POST", "/v1/evals/{eval_id}"): {"name": "mine"},
    ("POST", "/v1/evals/{eval_id}/runs"): {"data_source": DATA_SOURCE},
}
"""What a route needs, to come as far as the thing that it is asked for."""
NOBODYS = {"path", "adapter_name"}
"""Parameters that name a part of the server, or what only its operator is asked for."""


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as found:
        yield found


async def upload(server: Composed, owner: Tenant, purpose: str, *lines: object) -> str:
    content = "\n".join(map(json.dumps, lines)).encode()
    sent = {"files": {"file": ("a.jsonl", content)}, "data": {"purpose": purpose}}
    made = await server.http.post("/v1/files", headers=owner.headers, **sent)  # type: ignore[arg-type]
    return str(made.json()["id"])


async def everything_of(server: Composed, owner: Tenant, folder: Path) -> dict[str, list[str]]:
    """Make one of each thing; return their ids by the name of the parameter that takes them."""

    async def made(path: str, **body: Any) -> str:
        response = await owner.ask("POST", path, **body)
        assert response.is_success, response.text
        return str(response.json()["id"])

    chat = await made("/v1/chat/completions", **ASK)
    right = {"completion_id": chat, "verdict": "correct"}
    record = (await owner.ask("POST", "/v1/feedback", **right)).json()["record"]["id"]
    asked = {"model": MODEL, "input": STORY}
    responses = [await made("/v1/responses", **asked, background=late) for late in (False, True)]
    conversation = await made("/v1/conversations", items=ASK["messages"])
    items = await owner.ask("GET", f"/v1/conversations/{conversation}/items")
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": ASK}
    file = await upload(server, owner, "batch", line)
    window = {"endpoint": line["url"], "completion_window": "24h"}
    turns = [*ASK["messages"], {"role": "assistant", "content": "14"}]
    examples = await upload(server, owner, "fine-tune", *[{"messages": turns}] * 12)
    check = {"type": "string_check", "name": "a", "operation": "eq", "reference": "14"}
    evaluation = await made(
        "/v1/evals",
        data_source_config={"type": "custom", "item_schema": {"type": "object"}},
        testing_criteria=[{**check, "input": "{{sample.output_text}}"}],
    )
    name = "ft:whet-pebble:acme::abc123"
    version = register(server.memory, folder, 1.0, tenant=owner.name, name=name)
    jobs = [
        await made("/v1/jobs", kind="reindex"),
        await made("/v1/fine_tuning/jobs", model=MODEL, training_file=examples),
    ]
    return {
        "completion_id": [chat],
        "record_id": [record],
        "thing_id": [record, chat, responses[0], version.id, name, file, *jobs],
        "response_id": responses,
        "conversation_id": [conversation],
        "item_id": [items.json()["data"][0]["id"]],
        "file_id": [file],
        "batch_id": [await made("/v1/batches", input_file_id=file, **window)],
        "job_id": jobs,
        "eval_id": [evaluation],
        "run_id": [await made(f"/v1/evals/{evaluation}/runs", data_source=DATA_SOURCE)],
        "output_id": ["output_1"],
        "trace_id": [chat],
        "key_id": [str(server.memory.keys.list(owner.name)[0].id)],
        "adapter_id": [version.id],
        "model": [name],
        "tenant": [owner.name],
    }


def shown(response: httpx.Response, ids: dict[str, str]) -> tuple[int, str]:
    """Return what a client can tell from an answer, besides the ids that it sent."""
    text = response.text
    for name, own in ids.items():
        text = text.replace(own, f"<{name}>")
    return response.status_code, text


async def test_no_id_of_anothers_can_be_told_from_one_that_never_was(
    server: Composed, tmp_path: Path
) -> None:
    acme = Tenant(server, "acme")
    ids = await everything_of(server, acme, tmp_path)
    tried = 0
    for role in (Role.ADMIN, Role.USER):
        globex = Tenant(server, "globex", role)
        for method, path, names in with_parameters(server):
            for place in range(max(len(ids[name]) for name in names)):
                theirs = {name: ids[name][place % len(ids[name])] for name in names}
                nobodys = {name: never_was(own) for name, own in theirs.items()}
                body = BODIES.get((method, path), {})
                answers = [
                    shown(await globex.ask(method, at(path, each), **body), each)
                    for each in (theirs, nobodys)
                ]
                assert answers[0] == answers[1], (method, path)
                assert answers[0][0] in (403, 404), (method, path, answers[0])
                tried += 1
    assert tried > 100
    for path, name in (
        ("/v1/memory/records", "record_id"),
        ("/v1/conversations", "conversation_id"),
        ("/v1/files", "file_id"),
        ("/v1/batches", "batch_id"),
        ("/v1/evals", "eval_id"),
        ("/v1/responses", "response_id"),
        ("/v1/adapters", "adapter_id"),
        ("/v1/models", "model"),
    ):
        assert (await acme.ask("GET", f"{path}/{ids[name][0]}")).status_code == 200, path


def with_parameters(server: Composed) -> list[tuple[str, str, list[str]]]:
    """Return method, path and parameters of every route that is asked for something by its id."""
    found = []
    for route in server.app.routes:
        path = getattr(route, "path", "")
        names = PARAMETER.findall(path)
        if names and not NOBODYS.issuperset(names):
            methods = sorted((getattr(route, "methods", None) or {"GET"}) - {"HEAD"})
            found += [(method, path, names) for method in methods]
    return found


def at(path: str, ids: dict[str, str]) -> str:
    return PARAMETER.sub(lambda parameter: ids[parameter[1]], path)


def never_was(own: str) -> str:
    """Return an id of the same form."""
    kind, mark, rest = own.rpartition("_" if "_" in own else "-" if "-" in own else ":")
    return f"{kind}{mark}{'0' * len(rest)}"
