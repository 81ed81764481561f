"""Events of what requests cost, on their way to whoever counts them.

A request only adds its event to a queue: no answer waits for a disk or a sink. The queue is
bounded; what finds no room, and what the sink refuses for good, is counted and said. An event
leaves the queue when the sink has taken it, so it comes at least once, and its id is always the
same.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from itertools import islice
from logging import ERROR, WARNING
from pathlib import Path

import httpx
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from adaptation.backoff import pause_s
from memory.threads import Threads
from server.config import ConfigError, Settings
from server.telemetry.notes import RequestNote
from server.usage.event import Event, event_of
from server.usage.journal import Journal
from server.waiting import set_within

logger = logging.getLogger(__name__)

MOST = 20_000
"""Events that wait: about 15 MB. Of more, the newest are dropped."""
BATCH = 100
"""Events of one request to the sink."""
LINGER_S = 1.0
"""Between two requests to the sink, while events gather."""
ANSWER_S = 10.0
"""For the sink's answer."""
LONGEST_PAUSE_S = 60.0
"""Between two tries, while the sink takes nothing."""
CLOSING_S = 3.0
"""For what is left when the server ends; the rest is in the journal."""
FAULTY = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
"""What the sink says to events that it will never take; all else may be mended."""
MEDIA_TYPE = "application/cloudevents-batch+json"
FOLDER = "usage-events"
"""In the data folder."""
SENT, REFUSED, AWAY = "sent", "refused", "away"


class UsageCounts:
    """What became of events."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.events = Counter(
            "whet_usage_events_total",
            "Events of what requests cost, by what became of them: dropped ones found no room",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("sent", "dropped", "refused"):
            self.events.labels(outcome)  # 0 from the start: the first one is a rise


class UsageEvents:
    """Tells a sink what each request cost."""

    def __init__(
        self, client: httpx.AsyncClient, url: str, folder: Path, counts: UsageCounts
    ) -> None:
        """`client` carries what the sink lets it in by; `folder` is that of the journals."""
        self._client, self._url, self._counts = client, url, counts
        self._journal, self._thread = Journal(folder), Threads("usage-events", 1)
        self._waiting: deque[Event] = deque()
        self._unkept: list[Event] = []
        """The newest, which are not in the journal yet."""
        self._come = asyncio.Event()
        self._next_at = 0.0
        """When the sink is asked again; monotonic seconds."""
        self._failures = 0
        self._is_over = False
        self._troubles = set[str]()
        """What was said in the log and goes on."""

    def settled(self, note: RequestNote) -> None:
        """Add what a request has cost; costs the request nothing."""
        event = event_of(note)
        if event is None:
            return
        if len(self._waiting) >= MOST:
            self._counts.events.labels("dropped").inc()
            self._trouble("room", f"usage events are dropped: {MOST} wait for the sink", ERROR)
            return
        self._waiting.append(event)
        self._unkept.append(event)
        self._come.set()

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Deliver for the length of the block, and for a moment after it what is left."""
        await self._open()
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            self._is_over = True
            self._come.set()
            await asyncio.wait([task], timeout=CLOSING_S)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._close()

    async def _follow(self) -> None:
        while not self._is_over:
            if self._waiting:
                await set_within(self._come, max(0.0, self._next_at - time.monotonic()))
            else:
                await self._come.wait()
            self._come.clear()
            await self._keep()
            if time.monotonic() >= self._next_at and not self._is_over:
                await self._deliver()
        await self._deliver()

    async def _deliver(self) -> None:
        """Send what waits, until the sink takes nothing."""
        most, outcome = BATCH, SENT
        while self._waiting and outcome != AWAY:
            batch = list(islice(self._waiting, most))
            outcome = await self._send(batch)
            if outcome == REFUSED and len(batch) > 1:
                most = 1  # to find the one that it is about
                continue
            if outcome == REFUSED:
                most = BATCH
            if outcome != AWAY:
                self._counts.events.labels(outcome).inc(len(batch))
                self._troubles -= {"room", "sink"}
                for _ in batch:
                    self._waiting.popleft()
        self._failures = self._failures + 1 if outcome == AWAY else 0
        pause = pause_s(self._failures + 1, LINGER_S, LONGEST_PAUSE_S)
        self._next_at = time.monotonic() + max(LINGER_S, pause)
        await self._keep()

    async def _send(self, batch: Sequence[Event]) -> str:
        """Return what became of events."""
        body, sent = json.dumps(batch).encode(), {"content-type": MEDIA_TYPE}
        try:
            async with asyncio.timeout(ANSWER_S):
                response = await self._client.post(self._url, content=body, headers=sent)
        except (httpx.HTTPError, TimeoutError) as error:
            self._trouble("sink", f"usage events wait: the sink is away ({type(error).__name__})")
            return AWAY
        if response.is_success:
            return SENT
        if response.status_code in FAULTY:
            if len(batch) == 1:
                logger.error("the sink refused a usage event: status %d", response.status_code)
            return REFUSED
        self._trouble("sink", f"usage events wait: the sink says {response.status_code}")
        return AWAY

    async def _keep(self) -> None:
        """Have the journal hold what is new, and what is delivered no longer."""
        new, self._unkept = self._unkept, []
        journal, everything = self._journal, list(self._waiting)
        is_stale = journal.lines > (2 * MOST if everything else 0)
        try:
            if is_stale:
                await self._thread.run(journal.replace, everything)
            else:
                await self._thread.run(journal.append, new)
            self._troubles.discard("disk")
        except OSError as error:
            self._trouble("disk", f"usage events are kept in memory alone: {error}")

    async def _open(self) -> None:
        try:
            self._waiting.extend(await self._thread.run(self._journal.open))
        except OSError as error:
            self._trouble("disk", f"usage events are kept in memory alone: {error}")
        if self._waiting:
            logger.info("usage events of a server before that wait: %d", len(self._waiting))

    async def _close(self) -> None:
        await self._keep()
        if self._waiting:
            logger.warning("usage events that wait for the next server: %d", len(self._waiting))
        with suppress(OSError):
            await self._thread.run(self._journal.close)

    def _trouble(self, what: str, words: str, level: int = WARNING) -> None:
        """Say what goes wrong, once until it is mended."""
        if what not in self._troubles:
            self._troubles.add(what)
            logger.log(level, "%s", words)


@asynccontextmanager
async def usage_events(
    settings: Settings, registry: CollectorRegistry = REGISTRY
) -> AsyncIterator[UsageEvents | None]:
    """Deliver to the sink that the settings name; yields None where they name none.

    Raises `ConfigError`.
    """
    if settings.usage_events is None:
        yield None
        return
    try:
        host = httpx.URL(settings.usage_events).host  # the rest may hold a secret
    except httpx.InvalidURL as error:
        raise ConfigError(f"usage_events: {error}") from error
    async with httpx.AsyncClient(headers=_admitted(settings.usage_events_key_file)) as client:
        counts, folder = UsageCounts(registry), settings.data_dir / FOLDER
        events = UsageEvents(client, settings.usage_events, folder, counts)
        logger.info("usage events go to %s", host)
        async with events.delivering():
            yield events


def _admitted(key_file: Path | None) -> dict[str, str]:
    """Return the header that the sink lets its clients in by."""
    if key_file is None:
        return {}
    try:
        return {"authorization": f"Bearer {key_file.read_text('utf-8').strip()}"}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"usage_events_key_file: {key_file} cannot be read: {error}") from error
