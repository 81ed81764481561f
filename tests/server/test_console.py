"""The console's files: what a browser is sent, and what never leaves the folder."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request

from memory.keys import NewKey
from server.console.page import INDEX, STATIC, Page
from server.refusals.errors import ApiError
from tests.server.composed import Composed, Reply, composed

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PLAIN = {"accept-encoding": "identity"}


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("14")) as running:
        yield running


def asked(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "headers": raw, "query_string": b""})


async def test_the_page_comes_with_all_that_it_names_and_a_strict_policy(server: Composed) -> None:
    page = await server.http.get("/console")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="(console/[^"]+)"', page.text)
    assert len(named) >= 2, "a script and a style"
    for answer in [page, *[await server.http.get(f"/{address}") for address in named]]:
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text), "nothing from elsewhere"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=|\bstyle=", page.text)


async def test_what_is_named_by_its_content_is_kept_for_ever_and_the_page_is_asked_for_again(
    server: Composed,
) -> None:
    page = await server.http.get("/console")
    assert page.headers["cache-control"] == "no-cache"
    again = {"if-none-match": page.headers["etag"]}
    assert (await server.http.get("/console", headers=again)).status_code == 304
    named = re.findall(r'"(console/\w{16}/[^"]+\.js)"', page.text)
    assert len(set(named)) == len(list(STATIC.rglob("*.js"))), "all that will be imported"
    for script in named:
        assert "immutable" in (await server.http.get(f"/{script}")).headers["cache-control"]
    other = await server.http.get(f"/console/{'0' * 16}/app.js")
    assert other.status_code == 200
    assert other.headers["cache-control"] == "no-cache", "an address of other content"


async def test_files_are_compressed_for_whoever_reads_that(server: Composed) -> None:
    packed = await server.http.get("/console/app.js", headers={"accept-encoding": "br, gzip"})
    bare = await server.http.get("/console/app.js", headers=PLAIN)
    refused = await server.http.get("/console/app.js", headers={"accept-encoding": "gzip;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in bare.headers
    assert "content-encoding" not in refused.headers
    assert packed.content == bare.content == (STATIC / "app.js").read_bytes()
    assert packed.headers["etag"] != bare.headers["etag"]
    assert int(packed.headers["content-length"]) < len(bare.content)


async def test_all_of_the_page_is_small() -> None:
    files = [path.read_bytes() for path in STATIC.rglob("*") if path.is_file()]
    assert sum(len(gzip.compress(each)) for each in files) <= 150 * 1024


async def test_no_path_leaves_the_folder(server: Composed) -> None:
    for path in (
        "%2e%2e/page.py",
        "..%2fpage.py",
        "%2e%2e%2f%2e%2e%2fconfig.py",
        "static%2f..%2f..%2fpage.py",
        "..%5cpage.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "app.js/",
        "app.js%00",
        f"{'0' * 16}/../page.py",
        f"{'0' * 16}%2f..%2f..%2fpage.py",
    ):
        answer = await server.http.get(f"/console/{path}")
        assert answer.status_code == 404, path
        assert "error" in answer.json()


def test_neither_links_nor_files_of_other_kinds_are_served(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text('<a href="app.js"></a><a href="secret.py"></a>')
    (tmp_path / "app.js").write_text("1")
    (tmp_path / "secret.py").write_text("2")
    (tmp_path / "link.txt").symlink_to(tmp_path / "secret.py")
    page = Page(tmp_path)
    text = bytes(page.response(INDEX, asked()).body).decode()
    assert re.fullmatch(r'<a href="console/\w{16}/app.js"></a><a href="secret.py"></a>', text)
    for name in ("secret.py", "link.txt", "../x", ""):
        with pytest.raises(ApiError):
            page.response(name, asked())


async def test_a_browser_is_led_to_the_page_and_a_program_is_told_what_is_where(
    server: Composed,
) -> None:
    led = await server.http.get("/", headers={"accept": "text/html,*/*;q=0.8"})
    assert (led.status_code, led.headers["location"]) == (307, "/console")
    told = (await server.http.get("/")).json()
    assert told["console"] == "/console"
    for name in ("console", "docs", "openapi"):
        assert (await server.http.get(told[name])).status_code == 200
    for other in ("/console/", "/console/index.html"):  # from where its addresses lead nowhere
        response = await server.http.get(other)
        assert (response.status_code, response.headers["location"]) == (307, "/console")
    assert (await server.http.head("/console")).status_code == 200


async def test_the_page_is_open_to_everybody_and_its_data_is_not(server: Composed) -> None:
    server.memory.keys.create(NewKey(tenant="ann", role="user", hint="x", digest="y"))
    server.parts.keyring.forget()
    for path in ("/", "/console", "/console/app.js"):
        assert (await server.http.get(path)).status_code == 200
    for path in ("/v1/traces", "/v1/console"):
        assert (await server.http.get(path)).status_code == 401


async def test_behind_a_proxys_prefix_everything_leads_back_through_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--root-path", "/ai"]
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("14"), flags) as running:
        led = await running.http.get("/", headers={"accept": "text/html"})
        assert led.headers["location"] == "/ai/console"
        assert (await running.http.get("/ai/console/app.js")).status_code == 200
