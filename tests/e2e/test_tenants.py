"""Keys, made while a real server runs, and two customers on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.e2e.running import Running, serving, wait_until

STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("tenants")
    with serving(folder / "data", folder / "server.log") as running:
        yield running


def client(server: Running, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, timeout=120)


def key_of(server: Running, *words: str) -> str:
    made = server.whet("keys", "create", *words)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_the_first_key_closes_a_running_server_and_tenants_share_nothing(
    server: Running, tmp_path: Path
) -> None:
    assert server.post("/v1/memory/import", content=b"").status_code == 200
    assert server.get("/metrics").status_code == 200
    operator = key_of(server, "--role", "admin")
    wait_until(lambda: server.get("/metrics").status_code == 401, 10, "the door closes")
    assert server.get("/health").status_code == 200
    assert server.post("/tokenize", json={"prompt": "x"}).status_code == 401
    with (
        client(server, key_of(server, "--tenant", "acme")) as acme,
        client(server, key_of(server, "--tenant", "globex")) as globex,
        client(server, operator) as ops,
    ):
        messages = [{"role": "user", "content": STORY}]
        said = acme.chat.completions.create(model="whet-pebble", messages=messages)  # type: ignore[arg-type]
        assert said.choices[0].message.content
        stored = acme.responses.create(model="whet-pebble", input=STORY)
        assert acme.responses.retrieve(stored.id).id == stored.id
        with pytest.raises(openai.NotFoundError):
            globex.responses.retrieve(stored.id)
        with pytest.raises(openai.PermissionDeniedError):
            globex.get("/memory/records", cast_to=object)
        ops.put("/admin/tenants/globex", cast_to=object, body={"requests_per_minute": 1})
        globex.chat.completions.create(model="whet-pebble", messages=messages)  # type: ignore[arg-type]
        with pytest.raises(openai.RateLimitError, match="requests_per_minute"):
            globex.chat.completions.create(model="whet-pebble", messages=messages)  # type: ignore[arg-type]
        acme.chat.completions.create(model="whet-pebble", messages=messages)  # type: ignore[arg-type]
    listed = server.whet("keys", "list")
    assert operator not in listed.stdout
    assert listed.stdout.count("key_") == 3
    assert "whet-" not in server.log.read_text(errors="replace").replace("whet-pebble", "").replace(
        "whet-adapter", ""
    ).replace("whet-champion", "")
