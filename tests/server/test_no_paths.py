"""No client names a file or an address, and no id says anything."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from server.startup import engine_defaults
from tests.server.composed import ASK, Composed, Reply, composed
from tests.server.tenancy.test_tenants_http import Tenant

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
OUTSIDE = ("../secret", "..%2fsecret", "%2e%2e%2fsecret", "..%5csecret", "%2fetc%2fpasswd",
           "file:%2f%2f%2fetc%2fpasswd", ".hidden", "a%00b", "x" * 200)  # fmt: skip
RANDOM = re.compile(r"[a-z_]+[-_][0-9a-f]{12,32}")


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as found:
        yield found


async def test_no_route_with_an_id_takes_a_path(server: Composed) -> None:
    routes = [
        (method, route.path)
        for route in server.app.routes
        for method in getattr(route, "methods", None) or ()
        if "{" in getattr(route, "path", "") and method in ("GET", "DELETE")
    ]
    assert len(routes) > 10
    for method, path in routes:
        for outside in OUTSIDE:
            response = await server.http.request(method, re.sub(r"\{[^}]+\}", outside, path))
            assert response.status_code in (400, 403, 404, 405, 422), (method, path, outside)
            assert "root:" not in response.text
            assert "Traceback" not in response.text


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "..:ttt"]
)
async def test_a_model_is_one_that_is_served_and_no_path(server: Composed, name: str) -> None:
    response = await server.http.post("/v1/chat/completions", json={**ASK, "model": name})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


async def test_a_request_brings_no_template(server: Composed) -> None:
    body = {**ASK, "chat_template": "{{ 7 * 7 }}"}
    response = await server.http.post("/v1/chat/completions", json=body)
    assert response.status_code == 400, response.text


async def test_a_request_brings_no_adapter(server: Composed) -> None:
    await server.chat(lora_request={"lora_name": "x", "lora_path": "/tmp", "lora_int_id": 9})
    assert server.core.taken
    assert all(request.lora_request is None for request in server.core.taken)


async def test_adapters_are_not_loaded_over_http(server: Composed) -> None:
    body = {"lora_name": "x", "lora_path": "/etc"}
    for path in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter"):
        assert (await server.http.post(path, json=body)).status_code == 404


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that sends on to another path of its own; and the paths it was asked."""
    asked: list[str] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if self.path == "/a.png" else 200)
            self.send_header("location", "/inside")
            self.end_headers()

        def log_message(self, *arguments: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Redirecting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


async def test_no_image_is_fetched_for_a_client(
    server: Composed, listener: tuple[str, list[str]]
) -> None:
    address, asked = listener
    for url in (f"{address}/a.png", "file:///etc/passwd", "/etc/passwd", "ftp://127.0.0.1/a"):
        for part in ({"type": "image_url", "image_url": {"url": url}},
                     {"type": "video_url", "video_url": {"url": url}},
                     {"type": "audio_url", "audio_url": {"url": url}}):  # fmt: skip
            body = {**ASK, "messages": [{"role": "user", "content": [part]}]}
            response = await server.http.post("/v1/chat/completions", json=body)
            assert response.status_code == 400, (url, response.text)
            assert "root:" not in response.text
    assert asked == []


def test_a_domain_that_is_allowed_leads_on_to_no_other(
    listener: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vllm.multimodal.media import MediaConnector

    address, asked = listener
    for name, value in engine_defaults.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    connector = MediaConnector(allowed_media_domains=["127.0.0.1"])
    with pytest.raises((ValueError, RuntimeError)):  # what is there is no image
        connector.fetch_image(f"{address}/a.png")
    assert asked == ["/a.png"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "file://localhost/etc/passwd"])
def test_no_local_file_is_a_medium(url: str) -> None:
    from vllm.multimodal.media import MediaConnector

    with pytest.raises((ValueError, RuntimeError)):
        MediaConnector(allowed_media_domains=["none.invalid"]).fetch_image(url)


async def test_ids_are_random_and_say_nothing_of_tenant_or_order(server: Composed) -> None:
    acme, form = Tenant(server, "acme"), {"purpose": "batch"}
    seen: list[list[str]] = []
    for turn in range(2):
        chat = (await acme.ask("POST", "/v1/chat/completions", **ASK)).json()
        file = await server.http.post(
            "/v1/files", headers=acme.headers, data=form, files={"file": ("a.jsonl", b"{}")}
        )
        stored = (await acme.ask("POST", "/v1/responses", model=ASK["model"], input="Hi")).json()
        key = await acme.ask("POST", "/v1/admin/keys", name=f"n{turn}", role="user")
        seen.append([chat["id"], file.json()["id"], stored["id"], key.json()["id"]])
    for first, second in zip(*seen, strict=True):
        assert RANDOM.fullmatch(first), first
        assert "acme" not in first
        # Of two that follow each other, a counter or a clock would leave most digits alike.
        digits = zip(first[-12:], second[-12:], strict=True)
        assert sum(one == other for one, other in digits) < 6
