"""One run: its items are answered and graded, a few at a time.

What came of an item is kept at once, so that whoever goes on with the run asks only what is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any

from pydantic import ValidationError

from memory.errors import NotFoundError, WhetMemoryError
from memory.memory import LongTermMemory
from memory.offline.eval_runs import HELD_S
from memory.offline.evaluation import EvalRun, RunStatus
from server.batches.patience import LEAST_WAIT_S, MOST_WAIT_S
from server.evals.asking import Door, models_needed
from server.evals.grading import output_of, ungraded
from server.evals.items import FaultyItemsError, items_in
from server.evals.specs import CRITERION, DATA_SOURCE, FileContent, Item, item_schema_of
from server.evals.stored import items_of
from server.refusals.errors import ApiError
from server.refusals.validation import first_error
from server.requests.models_asked import ModelsAsked
from server.waiting import set_within

logger = logging.getLogger(__name__)


class RunWork:
    """One run of an evaluation."""

    def __init__(
        self,
        memory: LongTermMemory,
        door: Door,
        models: ModelsAsked,
        holder: str,
        run: EvalRun,
        at_once: int,
        most_bytes: int,
        watched: AbstractContextManager[object],
    ) -> None:
        """`models` are those that may be asked for; `watched` is entered for as long as the run is
        worked on.
        """
        self._watched = watched
        self._memory, self._runs, self._aside = memory, memory.eval_runs, memory.aside
        self._door, self._models, self._holder, self._run = door, models, holder, run
        self._at_once, self._most_bytes = at_once, most_bytes
        self.look = asyncio.Event()
        """Set where the run may have been cancelled."""
        self.task = asyncio.create_task(self._work(), name=run.id)

    async def _work(self) -> None:
        watch = asyncio.create_task(self._watch(asyncio.current_task()))
        try:
            with self._watched:
                await self._go_through()
        except NotFoundError:
            await self._end(RunStatus.FAILED, "source_gone", "the file or the eval is gone")
        except FaultyItemsError as error:
            await self._end(RunStatus.FAILED, "invalid_items", str(error))
        except ApiError as error:
            await self._end(RunStatus.FAILED, error.code or "invalid_run", error.message)
        except ValidationError as error:  # of a version that took more
            await self._end(RunStatus.FAILED, "invalid_run", first_error(error)[0])
        except WhetMemoryError as error:
            logger.warning("run %s waits for the storage: %s", self._run.id, error)
            await asyncio.sleep(LEAST_WAIT_S)
        except Exception:
            logger.exception("run %s cannot go on; it is tried again", self._run.id)
            await asyncio.sleep(MOST_WAIT_S)
        finally:
            watch.cancel()

    async def _watch(self, work: asyncio.Task[Any] | None) -> None:
        """Say that the run is worked on, and end it here when it is not to be any more."""
        while True:
            self.look.clear()
            with suppress(WhetMemoryError):
                goes_on = await self._write(self._runs.hold, self._run.id, self._holder)
                if not goes_on and work is not None:
                    work.cancel()
            await set_within(self.look, HELD_S / 4)

    async def _go_through(self) -> None:
        run = self._run
        self._source = DATA_SOURCE.validate_python(run.details.source)
        self._criteria = [CRITERION.validate_python(each) for each in run.details.criteria]
        reading = self._aside.importing
        evaluation = await reading.run(self._memory.evals.get, run.tenant, run.eval_id)
        schema = item_schema_of(evaluation.details.source)
        total = await reading.run(lambda: sum(1 for _ in self._items()))
        await self._write(self._runs.begin, run.id, self._holder, total)
        done = await reading.run(self._runs.done, run.id)
        if not done:
            await self._require_models()
        await self._grade_all(done, schema)
        if await self._came_to_nothing():
            await self._require_models()
        await self._end(RunStatus.COMPLETED)

    async def _require_models(self) -> None:
        """Raise `ApiError` (404) for a model that was there when the run was made, and is gone."""
        needed = models_needed(self._criteria, self._source)
        await self._models.require(self._run.tenant, needed)

    async def _came_to_nothing(self) -> bool:
        run = self._run
        found = await self._aside.importing.run(self._runs.get, run.tenant, run.eval_id, run.id)
        return found.summary.errored == found.total

    def _items(self) -> Iterator[tuple[int, Item]]:
        """Yield the items with their lines; blocks while it reads."""
        source, run = self._source.source, self._run
        if run.details.answers is not None:
            yield from items_of(self._memory, run.tenant, source.type, run.details.answers)
        elif isinstance(source, FileContent):
            yield from enumerate(source.content, 1)
        else:
            content = self._memory.files.content(run.tenant, source.id)
            yield from items_in(content, self._most_bytes)

    async def _grade_all(self, done: set[int], schema: Mapping[str, Any] | None) -> None:
        """Grade what is left, so many items at once."""
        left = (each for each in self._items() if each[0] not in done)
        turn = asyncio.Lock()

        async def next_one() -> tuple[int, Item] | None:
            async with turn:
                return await self._aside.importing.run(next, left, None)

        async def go_on() -> None:
            while (found := await next_one()) is not None:
                await self._grade(*found, schema)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(go_on())

    async def _grade(self, line: int, item: Item, schema: Mapping[str, Any] | None) -> None:
        try:
            output = await output_of(line, item, self._source, self._criteria, schema, self._door)
        except WhetMemoryError:
            raise
        except Exception as error:  # a defect of ours must not hold the tenant's runs up for ever
            logger.exception("item %s of run %s could not be graded", line, self._run.id)
            output = ungraded(line, item, "server_error", f"{type(error).__name__}: {error}")
        await self._write(self._runs.note, self._run.id, self._holder, [output])

    async def _end(self, status: RunStatus, code: str = "", message: str = "") -> None:
        error = {"code": code, "message": message} if code else None
        await self._write(self._runs.end, self._run.id, self._holder, status, error)
        logger.info("run %s is %s", self._run.id, status)

    async def _write(self, work: Callable[..., Any], *given: Any) -> Any:
        return await self._aside.writing.run(work, *given)
