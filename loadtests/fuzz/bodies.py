"""Parsers of what clients send: bodies, headers, forms, lines, batches."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Message

from loadtests.fuzz.target import Broken
from memory.aside import Aside
from memory.embedding.hashing import HashingEmbedder
from memory.errors import InvalidImportError
from memory.history.files import FileStore
from memory.lines.parse import parse_line
from memory.lines.stream import entries
from memory.memory import LongTermMemory
from server.batches.requests import ENDPOINTS, examined, requests_of
from server.config import Settings
from server.http.json_scan import JsonScan
from server.refusals.errors import ApiError, install_handlers
from server.refusals.soundness import sound_object
from server.requests.adaptation_request import take_context
from server.requests.media import without_media
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES
from server.routes.files import files_router
from server.tenancy.authentication import Authentication
from server.tenancy.doors import DOORS, Doors
from server.tenancy.keyring import Keyring
from server.tenancy.principal import OPERATOR, PRINCIPAL
from server.tenancy.secret import Secret
from server.tenancy.trust import Trust

MOST_BYTES = 1 << 20
PROMISED = frozenset({200, 400, 401, 403, 404, 409, 413, 422})
BOUNDARY = b"xxBOUNDARYxx"


def json_scan(data: bytes) -> None:
    """A body's size and depth are never told smaller than they are, however it is cut."""
    whole, cut = JsonScan(), JsonScan()
    whole.add(data)
    for start in range(0, len(data), 7):
        cut.add(data[start : start + 7])
    if (whole.parts, whole.values, whole.deepest) != (cut.parts, cut.values, cut.deepest):
        raise Broken("the scan depends on how the body is cut")
    try:
        read = json.loads(data) if b"\0" not in data else None
    except (ValueError, RecursionError):
        return
    if _depth(read) > whole.deepest:
        raise Broken("the body is deeper than the scan says")


def _depth(value: Any) -> int:
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if held is None else 1 + max(map(_depth, held), default=0)


def body(data: bytes) -> None:
    """What no body may hold is a 400, and what is left can be written as JSON again."""
    try:
        found = sound_object(data)
    except ApiError as error:
        _client_fault(error)
        return
    if found is not None:
        json.dumps(found, ensure_ascii=False).encode()
        without_media(found)


def request(data: bytes) -> None:
    """Whet's own part of a request is taken off it, or refused."""
    try:
        found = sound_object(data)
    except ApiError:
        return
    for path in (CHAT, COMPLETIONS, RESPONSES):
        try:
            take_context(path, dict(found or {}), Settings(), "default")
        except ApiError as error:
            _client_fault(error)


def lines(data: bytes) -> None:
    """A line becomes a draft of its tenant's, or is refused by name."""
    try:
        for entry in entries(io.BytesIO(data)):
            for trust in (False, True):
                _line(entry, trust)
    except InvalidImportError as error:
        str(error).encode("utf-8", "backslashreplace")


def _line(entry: str | bytes, trust: bool) -> None:
    try:
        found = parse_line(entry, "ann", trust=trust)
    except InvalidImportError:
        return
    if found is not None and found.draft.tenant != "ann":
        raise Broken("a line chose its tenant")
    if found is not None and found.draft.tier == "executable":
        raise Broken("a line claims to have been executed")


def batch(data: bytes) -> None:
    """An input without faults can be read to its end; faults are told in bounded words."""
    parts = [data[start : start + 11] for start in range(0, len(data), 11)]
    for endpoint in ENDPOINTS:
        _, faults = examined(parts, endpoint, MOST_BYTES)
        json.dumps(faults).encode()
        if not faults:
            list(requests_of(parts, endpoint))


def upload(data: bytes) -> None:
    """A form is a file or a refusal."""
    kind = b"multipart/form-data; boundary=" + BOUNDARY
    form = data.replace(b"\n", b"\r\n").replace(b"--B", b"--" + BOUNDARY)
    status = _answered(_files(), "POST", "/v1/files", [(b"content-type", kind)], form)
    if status not in PROMISED:
        raise Broken(f"status {status}")


def headers(data: bytes) -> None:
    """Whatever the headers say, nobody without a key of the operator's gets in as somebody."""
    given = [
        (name.strip().lower(), value.strip())
        for name, _, value in (line.partition(b":") for line in data.split(b"\n"))
    ]
    status = _answered(_guarded(), "GET", "/v1/adapters", given, b"")
    if status not in PROMISED - {200}:
        raise Broken(f"status {status}")


def _client_fault(error: ApiError) -> None:
    if not 400 <= error.status < 500:
        raise Broken(f"a client's fault is told as {error.status}")
    error.message.encode("utf-8", "backslashreplace")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _memory() -> LongTermMemory:
    return LongTermMemory.open(Path(tempfile.mkdtemp(prefix="whet-fuzz-")), HashingEmbedder())


@cache
def _files() -> Any:
    app = FastAPI()
    install_handlers(app)

    async def most_bytes(tenant: str) -> int:
        return MOST_BYTES

    app.include_router(files_router(FileStore(_memory()._database), most_bytes))
    return app


@cache
def _guarded() -> Any:
    async def inside(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    memory = _memory()
    keyring = Keyring(memory.keys, Secret(bytes(range(32))), Aside(memory))
    routes = [Route(path, inside) for path in DOORS]
    trust = Trust(operator_keys=("of the operator",), tenant_header="x-tenant")
    return Authentication(inside, Doors(routes), keyring, trust)


def _answered(
    app: Any, method: str, path: str, given: list[tuple[bytes, bytes]], content: bytes
) -> int:
    """Return the status that an application answers with."""
    sent: list[Message] = []
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "root_path": "",
        "raw_path": path.encode(), "query_string": b"", "headers": given, "scheme": "http",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), PRINCIPAL: OPERATOR,
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    _loop().run_until_complete(app(scope, receive, send))
    return int(sent[0]["status"])
