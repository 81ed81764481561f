"""A reward model in a process of its own, started again when it has died.

Owns the policy: who waits how long, what shares a batch, when the process is given up and when it
is started again. What a score is, `scorer.py` says; torch is imported over there only.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adaptation.backoff import pause_s
from adaptation.rewards.reward_model import RewardError
from adaptation.types import Query, Sample
from adaptation.workers.worker_process import WorkerDiedError, WorkerProcess

logger = logging.getLogger(__name__)

WORKER = "adaptation.rewards.worker"
THREADS = "OMP_NUM_THREADS"
MOST_REPLIES = 64
"""In one batch, from which on no further request joins it."""
MOST_S = 120.0
"""For the scores of a request without a deadline."""
START_S = 600.0
"""For loading the model."""
GRACE_S = 60.0
"""Until a process that does not notice the time is killed: one pass of a large model takes long."""
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 60.0
"""Before the start after the second failure in a row; doubles with every further one."""


@dataclass(eq=False)
class Asked:
    """Replies to one conversation that wait for their scores."""

    query: Query
    replies: tuple[str, ...]
    scores: asyncio.Future[list[float]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def seconds_left(self) -> float:
        """Until nobody waits any more."""
        left_s = self.query.seconds_left
        return MOST_S if left_s is None else min(MOST_S, left_s)

    @property
    def question(self) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        """The conversation and the replies, as they are sent."""
        return [turn.turn() for turn in self.query.messages], self.replies

    def take(self, scores: list[float]) -> None:
        """Tell whoever waits."""
        if not self.scores.done():
            self.scores.set_result(scores)

    def fail(self, why: str) -> None:
        """Tell whoever waits that there are no scores."""
        if not self.scores.done():
            self.scores.set_exception(RewardError(why))


class ProcessRewardModel:
    """Implements `RewardModel`: requests that come while others are scored share the next batch."""

    def __init__(self, folder: Path, threads: int | None = None, device: str = "auto") -> None:
        """Use the model in `folder`, see `check_folder`; nothing is started yet.

        `threads` are those of a CPU; None: what the environment says, or one. `device` is one of
        torch's, or `auto`: see `scorer.chosen`.
        """
        given = str(threads) if threads else os.environ.get(THREADS)
        self._process = WorkerProcess(
            WORKER, {THREADS: given} if given else {}, (str(folder), device)
        )
        self._thread = ThreadPoolExecutor(1, "reward-model")
        self._waiting: asyncio.Queue[Asked] = asyncio.Queue()
        self._serving: asyncio.Task[None] | None = None
        self._was_tried = asyncio.Event()
        """Set once the model was loaded, or could not be."""
        self._is_resting = False
        self._failures = 0
        self._error: str | None = None
        self._closed = False

    @property
    def status(self) -> str:
        """`ready`, `starting`, `idle` (not asked for yet), `closed` or `failed: …`."""
        if self._closed:
            return "closed"
        if self._error is not None:
            return f"failed: {self._error}"
        if self._was_tried.is_set():
            return "ready"
        return "idle" if self._serving is None else "starting"

    @property
    def pid(self) -> int | None:
        """Return the id of the process, where it runs."""
        return self._process.pid

    def begin(self) -> None:
        """Start loading the model, beside whatever else is done."""
        if self._serving is None and not self._closed:
            # It outlives the request that it begins with: its lines are not about that one.
            self._serving = asyncio.create_task(self._serve(), context=Context())

    async def start(self) -> None:
        """Load the model; raises `RewardError` where that fails the first time."""
        if self._closed:
            raise RewardError("it is closed")
        self.begin()
        await self._was_tried.wait()
        if self._error is not None:
            raise RewardError(self._error)

    async def scores(self, query: Query, samples: Sequence[Sample]) -> list[float]:
        """See `RewardModel.scores`; the same reply is scored once."""
        said = [sample.said.text or sample.text for sample in samples]
        if not said:
            return []
        replies = tuple(dict.fromkeys(said))
        found = dict(zip(replies, await self._scored(Asked(query, replies)), strict=True))
        return [found[reply] for reply in said]

    async def _scored(self, asked: Asked) -> list[float]:
        if self._closed:
            raise RewardError("it is closed")
        if self._is_resting:
            raise RewardError(self._error)
        self.begin()
        self._waiting.put_nowait(asked)
        try:
            async with asyncio.timeout(asked.seconds_left):
                scores = await asked.scores
        except TimeoutError as error:
            raise RewardError("it had no time to score all") from error
        if not all(map(math.isfinite, scores)):
            raise RewardError("it gave a score that is no number")
        return scores

    async def close(self) -> None:
        """End the process; the model is of no use afterwards."""
        self._closed = True
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])
        self._fail_all("it is closed")
        self._thread.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._process.close)

    async def _serve(self) -> None:
        """Load the model and score batch after batch; begin anew when the process has died."""
        while True:
            try:
                await self._load()
                while True:
                    await self._score(await self._next())
            except RewardError as error:
                await self._rest(str(error))

    async def _load(self) -> None:
        reply = await self._ask([], START_S)
        if "error" in reply:
            logger.warning("the reward model cannot be loaded: %s", reply["error"])
            raise RewardError("it cannot be loaded: the log says why")
        self._error = None
        self._was_tried.set()

    async def _next(self) -> list[Asked]:
        """Return what waits, as soon as anything does."""
        batch = [await self._waiting.get()]
        while not self._waiting.empty() and sum(len(a.replies) for a in batch) < MOST_REPLIES:
            batch.append(self._waiting.get_nowait())
        return [asked for asked in batch if not asked.scores.done()]

    async def _score(self, batch: list[Asked]) -> None:
        try:
            if batch:
                await self._score_together(batch)
        except RewardError as error:
            _fail(batch, str(error))
            raise
        finally:
            _fail(batch, "it is closed")  # whoever was not told yet

    async def _score_together(self, batch: list[Asked]) -> None:
        patience_s = max(asked.seconds_left for asked in batch)
        reply = await self._ask([asked.question for asked in batch], patience_s)
        self._failures = 0
        if "scores" in reply:
            scores = iter(reply["scores"])
            for asked in batch:
                asked.take([next(scores) for _ in asked.replies])
        elif len(batch) == 1:
            logger.warning("the reward model scored nothing: %s", reply["error"])
            batch[0].fail("it could not score these replies")
        else:
            for asked in batch:  # what one of them holds is not the others' fault
                await self._score([asked])

    async def _ask(self, questions: list[Any], seconds: float) -> dict[str, Any]:
        """Return what the process replies; raises `RewardError` where it dies, or has to."""
        line = json.dumps([seconds, questions], ensure_ascii=False).encode("utf-8", "replace")
        loop = asyncio.get_running_loop()
        asking = loop.run_in_executor(self._thread, self._process.ask, line + b"\n")
        asking.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen
        in_time, _ = await asyncio.wait([asking], timeout=seconds + GRACE_S)
        if not in_time:
            self._process.kill()
        try:
            reply: dict[str, Any] = json.loads(await asking)
        except WorkerDiedError as error:
            raise RewardError(str(error) if in_time else "it did not answer any more") from error
        except ValueError as error:  # half a line: it died over it
            raise RewardError("its process died") from error
        return reply

    async def _rest(self, why: str) -> None:
        """Wait before the next start but the first, longer with every failure in a row."""
        logger.warning("the reward model is started again: %s", why)
        self._failures += 1
        self._error = why
        self._was_tried.set()
        if self._failures == 1:
            return  # who waits, waits on
        self._is_resting = True
        self._fail_all(why)
        await asyncio.sleep(pause_s(self._failures, FIRST_PAUSE_S, MAX_PAUSE_S))
        self._is_resting = False

    def _fail_all(self, why: str) -> None:
        while not self._waiting.empty():
            self._waiting.get_nowait().fail(why)


def _fail(batch: Sequence[Asked], why: str) -> None:
    for asked in batch:
        asked.fail(why)
