"""The page of the routes, and the document behind it."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError, validate

from adaptation.options import Options
from adaptation.report import Report
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES
from server.version import installed_version
from tests.server.composed import Composed, Reply, composed


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("14")) as running:
        yield running


async def test_the_page_is_ours_and_loads_nothing_from_elsewhere(server: Composed) -> None:
    page = await server.http.get("/docs")
    assert page.status_code == 200
    assert "<title>Whet</title>" in page.text
    loaded = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert len(loaded) >= 3
    for address in loaded:
        assert address.startswith(("/static/", "data:"))
        if address.startswith("/"):
            assert (await server.http.get(address)).status_code == 200
    assert "url: '/openapi.json'" in page.text


async def test_the_document_has_our_name_and_what_a_request_may_say(server: Composed) -> None:
    document = (await server.http.get("/openapi.json")).json()
    assert document["info"]["title"] == "Whet"
    assert document["info"]["version"] == installed_version()
    schemas = document["components"]["schemas"]
    for path in (CHAT, COMPLETIONS, RESPONSES):
        operation = document["paths"][path]["post"]
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        known = schemas[body["$ref"].rpartition("/")[2]]["properties"]
        assert len(known) > 20, "vLLM's own keys are there too"
        assert known["adaptation"] == {"$ref": "#/components/schemas/Adaptation"}
    assert set(schemas["Adaptation"]["properties"]) == set(Options.model_fields)
    assert schemas["Adaptation"]["properties"]["max_samples"]["description"]
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', str(document).replace("'", '"')))
    assert named <= set(schemas)
    assert "adaptation" not in schemas["ChatCompletionRequest"]["properties"]


@pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
async def test_the_document_tells_what_an_answer_says_of_how_it_came_about(
    server: Composed,
) -> None:
    document = (await server.http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert set(schemas["AdaptationReport"]["properties"]) == set(Report.model_fields)
    answer = await server.chat(adaptation={"strategy": "auto"})
    wrong = {"adaptation": {**answer["adaptation"], "stop_reason": "bored"}}
    for path in (CHAT, COMPLETIONS, RESPONSES):
        told = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]
        schema = {**told["schema"], "components": document["components"]}
        validate(answer, schema)
        with pytest.raises(ValidationError):
            validate(wrong, schema)


async def test_the_document_is_built_once_beside_the_loop_for_all_that_ask(
    server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = asyncio.Event(), threading.Event()
    loop, build, builders = asyncio.get_running_loop(), server.app.openapi, list[int]()

    def slowly() -> dict[str, Any]:
        builders.append(threading.get_ident())
        loop.call_soon_threadsafe(begun.set)
        assert may_end.wait(30), "the loop waits for the document"
        return build()

    monkeypatch.setattr(server.app, "openapi", slowly)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(server.http.get("/openapi.json")) for _ in range(3)]
        gone = group.create_task(server.http.head("/openapi.json"))
        await begun.wait()
        assert (await server.http.get("/health")).status_code == 200, "the loop goes on"
        gone.cancel()
        may_end.set()
    assert len({task.result().content for task in asked}) == 1
    head = await server.http.head("/openapi.json")
    assert (head.status_code, head.content) == (200, b"")
    assert len(builders) == 1, "whoever asked meanwhile waits for the same"
    assert builders[0] != threading.get_ident()


async def test_the_document_names_the_prefix_of_a_proxy(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--root-path", "/ai"]
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("14"), flags) as running:
        document = (await running.http.get("/openapi.json")).json()
    assert document["servers"] == [{"url": "/ai"}]
