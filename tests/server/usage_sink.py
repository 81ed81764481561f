"""A sink of usage events that runs and does what a test wants, and requests that cost something."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from adaptation.options import Strategy
from adaptation.report import Report, SampleCounts, StopReason, TokenCounts
from server.config import Settings
from server.telemetry.notes import Answered, RequestNote
from server.usage.delivery import UsageEvents, usage_events

MODEL = "whet-pebble"
Status = Callable[[list[dict[str, Any]]], int]


class Sink:
    """What was sent, and what was taken."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer: Status = lambda events: 204
        self.delay_s = 0.0
        self.taken: list[dict[str, Any]] = []
        self.tries: list[list[str]] = []
        self.headers: list[dict[str, str]] = []

    def take(self, events: list[dict[str, Any]]) -> int:
        self.tries.append([each["id"] for each in events])
        time.sleep(self.delay_s)
        status = self.answer(events)
        if status < 300:
            self.taken += events
        return status

    async def has(self, number: int) -> None:
        """Return when so many events were taken."""
        async with asyncio.timeout(60):
            while len(self.taken) < number:  # noqa: ASYNC110 - the sink has a thread of its own
                await asyncio.sleep(0.01)
        assert len(self.taken) == number


def note(number: int = 0, tenant: str | None = "acme") -> RequestNote:
    """A request that was answered, of so many tokens returned."""
    report = Report(
        strategy=Strategy.CONSISTENCY,
        requested=Strategy.AUTO,
        stop_reason=StopReason.CONFIDENT,
        samples=SampleCounts(),
        tokens=TokenCounts(returned=number, losing=2, cancelled=3, training=4),
    )
    made = RequestNote(id=f"r{number}", method="POST", path="/v1/chat/completions", tenant=tenant)
    made.answers.append(Answered("c", report, "a secret", "another secret", 7, MODEL, "tom"))
    return made


@contextmanager
def receiving() -> Iterator[Sink]:
    """Run a sink."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sink.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(sink.take(json.loads(body)))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """The test says what it wants to be said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink = Sink(f"http://127.0.0.1:{server.server_port}/events")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def telling(
    folder: Path, url: str, registry: CollectorRegistry | None = None, **more: Any
) -> AsyncIterator[UsageEvents]:
    """Tell the sink at a URL."""
    settings = Settings(data_dir=folder, usage_events=url, **more)
    async with usage_events(settings, registry or CollectorRegistry()) as events:
        assert events is not None
        yield events
