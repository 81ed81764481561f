"""The page of the routes, and the document behind it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adaptation.options import Options
from server.request_context import CHAT, COMPLETIONS, RESPONSES
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
