"""Keys, made while a real server runs, and two customers on it, LiteLLM's proxy in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.e2e.running import Running, serving, wait_until
from tests.e2e.test_clients import PERSON, printed, python_client

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


def test_litellms_proxy_with_two_customers(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/tenants.md has it."""
    for customer in ("acme", "globex"):
        key = key_of(server, "--tenant", f"{customer}-inc", "--name", "litellm")
        monkeypatch.setenv(f"{customer.upper()}_KEY", key)
    limited = server.whet("tenants", "set", "globex-inc", "--requests-per-minute", "1")
    assert limited.returncode == 0, limited.stderr
    found = printed(python_client("litellm"), server.url)
    assert found["text"].endswith("#### 14")
    assert found["streamed"].endswith("#### 14")
    assert found["pieces"] > 5
    assert found["calls"] == [{"name": "get_weather", "args": {"city": "Paris"}}]
    assert found["person"] == PERSON
    assert found["report"] == {"whole": "consistency", "chunks": None}
    expected = {f"llm_provider-x-{name}" for name in ("request-id", "whet-strategy", "whet-report")}
    assert expected <= set(found["headers"])
    assert found["id"].startswith("chatcmpl-")
    (id_of_stream,) = found["stream_ids"]
    assert id_of_stream.startswith("chatcmpl-")
    told = found["customers"]
    assert told["statuses"] == {"globex": [404, 404], "acme": [200, 200]}
    assert told["acme"] == "99", "what acme corrected, acme is told"
    assert told["globex"].endswith("#### 14"), "and nobody else"
    assert "requests_per_minute" in told["limited"]
    assert told["unlimited"] == told["acme"]
