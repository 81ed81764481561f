"""Works on the batches of all tenants: looks at their input, answers, writes their files.

A batch is held while it is worked on (`memory.batches`), so that of several servers one does so;
what has been answered is kept line by line, so that another can go on. Of each tenant one batch is
worked on at a time, its oldest.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

import httpx

from memory.batches import HELD_S, Answer, Batch, Status
from memory.errors import NotFoundError, WhetMemoryError
from memory.memory import LongTermMemory
from server.batches.requests import BatchRequest, examined, requests_of

logger = logging.getLogger(__name__)

TENANTS = 4
"""Worked for at a time."""
SWEEP_S = 30.0
"""Between looks for batches and files that nobody has told of: of other processes, or expired."""
LEAST_WAIT_S, MOST_WAIT_S = 1.0, 60.0
"""Before a request that found no room is sent again."""
EXPIRED = {
    "code": "batch_expired",
    "message": "the batch expired before this request was answered",
}


class Post(Protocol):
    """Answers a request of a tenant's."""

    async def __call__(self, tenant: str, path: str, body: dict[str, Any]) -> httpx.Response:
        """Return the answer."""
        ...


class BatchWorker:
    """Looks after batches until it is cancelled."""

    def __init__(
        self, memory: LongTermMemory, post: Post, news: asyncio.Event, at_once: int
    ) -> None:
        """`news` is set when a batch was made or cancelled; `at_once` bounds a batch's requests."""
        self._memory, self._batches = memory, memory.batches
        self._post, self._news, self._at_once = post, news, at_once
        self._name = f"worker-{uuid4().hex[:12]}"
        self._at_work: dict[str, _Work] = {}

    async def follow(self) -> None:
        """Work; whoever ends this has others go on with what was begun."""
        try:
            while True:
                self._news.clear()
                try:
                    await self._begin_all()
                except WhetMemoryError as error:
                    logger.warning("batches cannot be read: %s", error)
                except Exception:  # nobody awaits this: it must not die
                    logger.exception("batches could not be looked after; it is tried again")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), SWEEP_S)
        finally:
            for work in self._at_work.values():
                work.task.cancel()
            tasks = [work.task for work in self._at_work.values()]
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(WhetMemoryError):
                await self._memory.aside.writing.run(self._batches.let_go, self._name)

    async def _begin_all(self) -> None:
        for work in self._at_work.values():
            work.look.set()
        writing = self._memory.aside.writing
        await writing.run(self._memory.files.drop_expired)
        while len(self._at_work) < TENANTS:
            batch = await writing.run(self._batches.claim, self._name, list(self._at_work))
            if batch is None:
                return
            work = _Work(self._memory, self._post, self._name, batch, self._at_once)
            self._at_work[batch.tenant] = work
            work.task.add_done_callback(partial(self._ended, batch.tenant))

    def _ended(self, tenant: str, task: asyncio.Task[None]) -> None:
        del self._at_work[tenant]
        self._news.set()  # its next


class _Work:
    """One batch."""

    def __init__(
        self, memory: LongTermMemory, post: Post, holder: str, batch: Batch, at_once: int
    ) -> None:
        self._memory, self._batches, self._aside = memory, memory.batches, memory.aside
        self._post, self._holder, self._batch, self._at_once = post, holder, batch, at_once
        self._ends: Status | None = None
        self.look = asyncio.Event()
        """Set where the batch may have been cancelled."""
        self.task = asyncio.create_task(self._run(), name=batch.id)

    async def _run(self) -> None:
        watch = asyncio.create_task(self._watch(asyncio.current_task()))
        try:
            await self._work()
        except NotFoundError:
            fault = {"code": "input_file_gone", "message": "the input file was deleted"}
            await self._write(self._batches.fail, self._batch.id, [fault])
        except WhetMemoryError as error:
            logger.warning("batch %s waits for the storage: %s", self._batch.id, error)
            await asyncio.sleep(LEAST_WAIT_S)
        except Exception:
            logger.exception("batch %s cannot go on; it is tried again", self._batch.id)
            await asyncio.sleep(MOST_WAIT_S)
        finally:
            watch.cancel()

    async def _watch(self, work: asyncio.Task[Any] | None) -> None:
        """Say that the batch is worked on, and notice when it is not to be any more."""
        while True:
            self.look.clear()
            with suppress(WhetMemoryError):
                batch = await self._write(self._batches.hold, self._batch.id, self._holder)
                if batch is None and work is not None:
                    work.cancel()  # another one's by now
                if batch is not None and batch.status is Status.CANCELLING:
                    self._ends = Status.CANCELLED
            with suppress(TimeoutError):
                await asyncio.wait_for(self.look.wait(), HELD_S / 4)

    async def _work(self) -> None:
        batch = self._batch
        if batch.status is Status.VALIDATING:
            total, faults = await self._aside.importing.run(self._examined)
            if faults:
                await self._write(self._batches.fail, batch.id, faults)
                return
            batch = await self._write(self._batches.begin, batch.id, total)
        if batch.status is Status.IN_PROGRESS:
            self._note_the_time()
            await self._answer_all()
        if batch.status is Status.CANCELLING:
            self._ends = Status.CANCELLED
        if self._ends is Status.EXPIRED:
            await self._aside.importing.run(self._note_expired)
        await self._write(self._batches.end, batch.id, self._ends or Status.COMPLETED)
        logger.info("batch %s has ended", batch.id)

    def _content(self) -> Iterator[bytes]:
        return self._memory.files.content(self._batch.tenant, self._batch.input_file_id)

    def _examined(self) -> tuple[int, list[dict[str, Any]]]:
        return examined(self._content(), self._batch.endpoint)

    def _open_requests(self) -> Iterator[BatchRequest]:
        """Yield what has not been answered; blocks while it reads."""
        answered = self._batches.answered(self._batch.id)
        for request in requests_of(self._content(), self._batch.endpoint):
            if request.line not in answered:
                yield request

    async def _answer_all(self) -> None:
        """Answer until there are no more requests, or the batch ends."""
        requests, turn = self._open_requests(), asyncio.Lock()

        async def next_one() -> BatchRequest | None:
            async with turn:
                return await self._aside.importing.run(next, requests, None)

        async def answer() -> None:
            while self._ends is None and (request := await next_one()) is not None:
                await self._answer(request)

        tasks = [asyncio.create_task(answer()) for _ in range(self._at_once)]
        try:
            await self._until_ended(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_ended(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait for all tasks, or for what ends the batch before."""
        pending = set(tasks)
        while pending and self._ends is None:
            done, pending = await asyncio.wait(
                pending, timeout=0.2, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            if pending:
                self._note_the_time()

    def _note_the_time(self) -> None:
        if self._ends is None and time.time() >= self._batch.expires_at:
            self._ends = Status.EXPIRED

    async def _answer(self, request: BatchRequest) -> None:
        wait_s = LEAST_WAIT_S
        while True:
            response = await self._post(self._batch.tenant, self._batch.endpoint, request.body)
            if response.status_code not in (429, 503):
                break
            told = response.headers.get("retry-after", "")
            wait_s = min(MOST_WAIT_S, max(2 * wait_s, float(told) if told.isdigit() else 0.0))
            await asyncio.sleep(wait_s)
        answer = {
            "status_code": response.status_code,
            "request_id": response.headers.get("x-request-id") or "",
            "body": _body(response),
        }
        failed = response.status_code >= 400
        note = Answer(line=request.line, failed=failed, content=_line(request, answer))
        await self._write(self._batches.note, self._batch.id, note)

    def _note_expired(self) -> None:
        for request in self._open_requests():
            content = _line(request, None, EXPIRED)
            note = Answer(line=request.line, failed=True, content=content)
            self._batches.note(self._batch.id, note)

    async def _write(self, work: Any, *given: Any) -> Any:
        return await self._aside.writing.run(work, *given)


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:  # nothing here answers so, and one line is not to end a batch
        return response.text


def _line(request: BatchRequest, response: Any, error: Any = None) -> bytes:
    """Return a line of the output, as OpenAI writes it."""
    fields = {
        "id": f"batch_req_{uuid4().hex}",
        "custom_id": request.custom_id,
        "response": response,
        "error": error,
    }
    return json.dumps(fields, ensure_ascii=False).encode()
