"""A request's head: there in time, and of a bearable size. Before its end nobody is known.

A protocol of uvicorn's, which bounds neither where it reads with httptools: a head without end is
kept as it grows, and copied for every piece of it, and one that stays away holds its connection.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server.refusals.errors import error_body

LARGE = "The request's headers are more than {} bytes, or more than {} of them; send less"
LATE = "The request's headers did not arrive within {:g} s (body_timeout_s); send it again"


class BoundedHead(HttpToolsProtocol):
    """Answers 408 where a head does not come in time, 431 where it is too large.

    Whoever says nothing, or goes on with a body that was answered already, is cut off in as long.
    """

    def __init__(
        self, *given: Any, most_bytes: int, most_headers: int, time_s: float, **named: Any
    ) -> None:
        super().__init__(*given, **named)
        self._most_bytes, self._most_headers, self._time_s = most_bytes, most_headers, time_s
        self._kept_bytes = 0
        """What came since a head ended or a body went on: the parser keeps it."""
        self._is_heard = self._is_large = False
        self._in_head = self._in_message = False
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol` and `httptools.HttpRequestParser`, likewise below."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless too much is kept by now."""
        if self._kept_bytes > self._most_bytes:
            self._refuse_large()
            return
        self._is_heard = False
        super().data_received(data)
        self._kept_bytes = 0 if self._is_heard else self._kept_bytes + len(data)

    def on_message_begin(self) -> None:
        """Wait for the rest of a head."""
        super().on_message_begin()
        self._in_head = self._in_message = True
        self._wait()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, unless there are too many: the parser ends then as for a wrong one."""
        if len(self.headers) >= self._most_headers:
            self._is_large = True
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin with the request; its body is waited for by whoever reads it."""
        self._is_heard, self._in_head = True, False
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a piece on."""
        self._is_heard = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing but another request."""
        self._in_message = False
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the end of what is answered already."""
        super().on_response_complete()
        if self._in_message:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read, in the shape of all errors."""
        if self._is_large:
            self._refuse_large()
        else:
            self._refuse(400, msg)

    def _wait(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(self._time_s, self._is_late)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _is_late(self) -> None:
        if self._is_answering:
            self._wait()
        elif self._in_head:
            self._refuse(408, LATE.format(self._time_s))
        else:
            self.transport.close()

    def _refuse_large(self) -> None:
        self._refuse(431, LARGE.format(self._most_bytes, self._most_headers))

    def _refuse(self, status: int, message: str) -> None:
        """Answer for the last time; who has been answered, or is being, is cut off."""
        self._stop_waiting()
        if self._in_head and not self._is_answering:
            body = json.dumps(error_body(status, message)).encode()
            headers = [
                *self.server_state.default_headers,
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
            self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
        self.transport.close()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


def bounded_heads(args: argparse.Namespace, time_s: float) -> Callable[..., BoundedHead]:
    """Return what makes the protocol of a connection; vLLM's flags for h11 bound its heads."""
    return partial(
        BoundedHead,
        most_bytes=args.h11_max_incomplete_event_size,
        most_headers=args.h11_max_header_count,
        time_s=time_s,
    )
