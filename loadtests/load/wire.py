"""HTTP/1.1 as cheaply as asyncio allows: who makes load on the server's own cores takes of them."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_RETRY = re.compile(rb"retry-after: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """How a request ended."""

    status: int
    """0: the connection broke, or there was none."""
    seconds: float
    retry_after_s: int | None = None
    body: bytes = b""
    sent_at: float = 0.0
    """By `time.perf_counter`."""

    @property
    def ended_at(self) -> float:
        """By `time.perf_counter`."""
        return self.sent_at + self.seconds


class Wire:
    """Connections to one server, used again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, request: bytes) -> Reply:
        """Send a request made by `posting`; whatever goes wrong is a status of 0.

        A server may close a connection that was idle just when it is used again: then another one
        is opened, as every client does.
        """
        began = time.perf_counter()
        while True:
            is_used = bool(self._free)
            try:
                pair = self._free.pop() if is_used else await self._open()
                reply = await _exchange(*pair, request, began)
            except (OSError, EOFError, ValueError):
                if is_used:
                    continue
                return Reply(0, time.perf_counter() - began, sent_at=began)
            self._free.append(pair)
            return reply

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        """Close what is free."""
        for _, writer in self._free:
            writer.close()
        self._free.clear()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, began: float
) -> Reply:
    writer.write(request)
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None:
            raise ValueError("an answer without a length")
        body = await reader.readexactly(int(length[1]))
    except BaseException:  # a client that is cancelled leaves no connection
        writer.close()
        raise
    retry = _RETRY.search(head)
    seconds = time.perf_counter() - began
    return Reply(int(head[9:12]), seconds, int(retry[1]) if retry else None, body, began)


def posting(
    path: str, body: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})
) -> bytes:
    """Return a whole request."""
    content = json.dumps(body).encode()
    sent = {"host": "127.0.0.1", "content-type": "application/json", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    head = f"POST {path} HTTP/1.1\r\n{lines}content-length: {len(content)}\r\n\r\n"
    return head.encode() + content
