"""One batch: its input is looked at, its requests are answered, its files are written.

What has been answered is kept line by line, so that whoever goes on with it asks only what is left.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from memory.errors import NotFoundError, WhetMemoryError
from memory.memory import LongTermMemory
from memory.offline.batch import Answer, Batch, Status
from memory.offline.batches import HELD_S
from server.batches.output import answer_line, error_line
from server.batches.patience import LEAST_WAIT_S, MOST_WAIT_S, Post, answered
from server.batches.requests import BatchRequest, examined, requests_of
from server.waiting import set_within

logger = logging.getLogger(__name__)

SLICE_S = 300.0
"""After so long a batch takes no further requests, and another tenant's has its turn."""
AT_ONCE = 500
"""Lines that expired are noted so many in a commit."""
EXPIRED = {
    "code": "batch_expired",
    "message": "the batch expired before this request was answered",
}
NOT_ANSWERED = {"code": "server_error", "message": "this request could not be answered"}


class Work:
    """One batch."""

    def __init__(
        self,
        memory: LongTermMemory,
        post: Post,
        holder: str,
        batch: Batch,
        at_once: int,
        most_bytes: int,
    ) -> None:
        self._memory, self._batches, self._aside = memory, memory.batches, memory.aside
        self._post, self._holder, self._batch, self._at_once = post, holder, batch, at_once
        self._most_bytes = most_bytes
        self._ends: Status | None = None
        self._began = time.monotonic()
        self._is_over_its_turn = False
        """Requests are left for another time."""
        self._noting: set[asyncio.Task[None]] = set()
        self.look = asyncio.Event()
        """Set where the batch may have been cancelled."""
        self.task = asyncio.create_task(self._run(), name=batch.id)

    async def _run(self) -> None:
        watch = asyncio.create_task(self._watch(asyncio.current_task()))
        try:
            await self._work()
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
            await set_within(self.look, HELD_S / 4)

    async def _work(self) -> None:
        try:
            faults = await self._gone_through()
        except NotFoundError:
            faults = [{"code": "input_file_gone", "message": "the input file is gone"}]
        if self._is_over_its_turn and self._ends is None and not faults:
            await self._write(self._batches.let_go, self._holder, self._batch.id)
            return
        status = Status.FAILED if faults else self._ends or Status.COMPLETED
        await self._write(self._batches.end, self._batch.id, self._holder, status, faults)
        logger.info("batch %s is %s", self._batch.id, status)

    async def _gone_through(self) -> list[dict[str, Any]]:
        """Answer what is to be answered; return what is wrong with the input."""
        batch = self._batch
        if batch.status is Status.VALIDATING:
            total, faults = await self._aside.importing.run(self._examined)
            if faults:
                return faults
            batch = await self._write(self._batches.begin, batch.id, total)
        if batch.status is Status.IN_PROGRESS:
            self._note_the_time()
            await self._answer_all()
        if batch.status is Status.CANCELLING:
            self._ends = Status.CANCELLED
        if self._ends is Status.EXPIRED:
            await self._note_expired()
        return []

    def _content(self) -> Iterator[bytes]:
        return self._memory.files.content(self._batch.tenant, self._batch.input_file_id)

    def _examined(self) -> tuple[int, list[dict[str, Any]]]:
        return examined(self._content(), self._batch.endpoint, self._most_bytes)

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
            while self._goes_on and (request := await next_one()) is not None:
                await self._answer(request)
            self._is_over_its_turn |= not self._goes_on

        tasks = [asyncio.create_task(answer()) for _ in range(self._at_once)]
        try:
            await self._until_ended(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *self._noting, return_exceptions=True)

    @property
    def _goes_on(self) -> bool:
        """Whether it is still this batch's turn."""
        return self._ends is None and time.monotonic() - self._began < SLICE_S

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
        try:
            response = await answered(
                self._post, self._batch.tenant, self._batch.endpoint, request.body
            )
        except Exception:  # one request is not to end all others
            logger.exception("line %d of batch %s failed", request.line, self._batch.id)
            content = error_line(request.custom_id, NOT_ANSWERED)
            answer = Answer(line=request.line, failed=True, content=content)
        else:
            has_failed = response.status_code >= 400
            content = answer_line(request.custom_id, response)
            answer = Answer(line=request.line, failed=has_failed, content=content)
        noting = asyncio.create_task(
            self._write(self._batches.note, self._batch.id, self._holder, [answer])
        )
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)
        await asyncio.shield(noting)  # what was answered is kept, whatever ends the batch

    async def _note_expired(self) -> None:
        """Tell all that is left that its time is over."""
        requests = self._open_requests()
        while lines := await self._aside.importing.run(list, islice(requests, AT_ONCE)):
            answers = [
                Answer(line=each.line, failed=True, content=error_line(each.custom_id, EXPIRED))
                for each in lines
            ]
            await self._write(self._batches.note, self._batch.id, self._holder, answers)

    async def _write(self, work: Any, *given: Any) -> Any:
        return await self._aside.writing.run(work, *given)
