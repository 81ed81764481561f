"""The way to a remote engine: vLLM's HTTP, one connection for each sample.

Knows statuses and streams, neither requests of vLLM's client nor what answers mean. A sample that
is given up closes its connection: vLLM then ends the sequence at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector

GENERATE = "/inference/v1/generate"
CONNECT_S = 5.0
IDLE_S = 2.0
"""Kept connections are closed before the other end closes them: vLLM's server does after 5 s."""
CALL_S = 60.0
"""Most that a call may take which loads an adapter; samples take as long as they do."""
LONGEST_EVENT_BYTES = 2**23
"""The log-probabilities of a whole vocabulary are one event."""
EVENT, END = b"data: ", b"[DONE]"
ELSEWHERE = frozenset({401, 403, 404})
"""Statuses of another server than the one that was tried: with other keys, routes or adapters."""


class GoneError(Exception):
    """The engine is not there, or has forgotten what it was told."""


class RefusedError(Exception):
    """The engine is there, and does not serve this request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Line:
    """Held for as long as the server lives, across restarts of the other end."""

    def __init__(self, url: str, key: str | None) -> None:
        """Needs a running event loop; `key` is what the other end wants from its clients."""
        self.url = url.rstrip("/")
        self._session = ClientSession(
            headers={"authorization": f"Bearer {key}"} if key else None,
            connector=TCPConnector(limit=0, keepalive_timeout=IDLE_S),
            timeout=ClientTimeout(total=None, sock_connect=CONNECT_S),
            read_bufsize=LONGEST_EVENT_BYTES,
        )

    async def close(self) -> None:
        """End every connection."""
        await self._session.close()

    async def generate(self, body: bytes) -> AsyncGenerator[Mapping[str, Any], None]:
        """Yield the events of one sample; raises `GoneError` or `RefusedError`."""
        headers = {"content-type": "application/json"}
        try:
            async with self._session.post(
                self.url + GENERATE, data=body, headers=headers
            ) as response:
                try:
                    await _check(response)
                    async for event in _events(response):
                        yield event
                finally:
                    if not response.content.at_eof():
                        response.close()  # which ends the sequence at the other end
        except TimeoutError as error:
            raise RefusedError(503, "the engine takes no connection") from error
        except (ClientError, OSError) as error:
            raise GoneError(str(error) or type(error).__name__) from error

    async def call(self, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, str]:
        """Ask once; return status and text. Raises `GoneError`, and TimeoutError after a minute."""
        method = "GET" if body is None else "POST"
        timeout = ClientTimeout(total=CALL_S, sock_connect=CONNECT_S)
        try:
            async with self._session.request(
                method, self.url + path, json=body, timeout=timeout
            ) as response:
                return response.status, await response.text("utf-8", "replace")
        except TimeoutError:
            raise
        except (ClientError, OSError) as error:
            raise GoneError(str(error) or type(error).__name__) from error

    async def is_well(self) -> bool:
        """Whether the engine says that it can be asked; raises as `call` does."""
        status, _ = await self.call("/health")
        return status == 200


async def _check(response: ClientResponse) -> None:
    if response.status == 200:
        return
    message = message_of(await response.text("utf-8", "replace"))
    if response.status in ELSEWHERE:
        raise GoneError(f"{response.status}: {message}")
    raise RefusedError(response.status, message)


async def _events(response: ClientResponse) -> AsyncIterator[Mapping[str, Any]]:
    """Yield what is streamed up to its mark of an end; raises `GoneError` where there is none."""
    async for line in response.content:
        if not line.startswith(EVENT):
            continue
        data = line[len(EVENT) :].strip()
        if data == END:
            await response.read()  # so that the connection can be used again
            return
        try:
            event = json.loads(data)
        except ValueError as error:
            raise GoneError("what came is no event of vLLM's") from error
        if told := event.get("error"):
            raise RefusedError(_status(told.get("code")), str(told.get("message")))
        yield event
    raise GoneError("the stream broke off")


def _status(code: object) -> int:
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def message_of(text: str) -> str:
    """Return what an answer that refuses something says, in whichever form."""
    try:
        told = json.loads(text)
        return str(told["error"]["message"] if "error" in told else told["detail"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:200] or "no reason was given"


async def within(seconds: float, line: Line) -> bool | None:
    """Return whether the engine is well, None where it does not say so in time."""
    try:
        async with asyncio.timeout(seconds):
            return await line.is_well()
    except TimeoutError:
        return None
