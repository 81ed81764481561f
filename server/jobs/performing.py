"""A job done to its end, or to where it is to stop.

Owns the beat: while a kind works, the job is held, what it says is written, and what its tenant
wants of it is obeyed at once, wherever the kind is.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import suppress
from typing import Any

from adaptation.errors import AdaptationError
from memory.errors import WhetMemoryError
from memory.offline.job import JobStatus, Wish
from server.config import ConfigError
from server.jobs.kind import JobFailedError, Run
from server.jobs.work import Stopped, Work
from server.terminal import CommandError

logger = logging.getLogger(__name__)

BEAT_S = 2.0
"""Between two looks at what is wanted: far less than another waits before it goes on."""


async def perform(work: Work, run: Run) -> JobStatus:
    """Do a job, and return what became of it.

    Whoever cancels this has the job wait for another; it is then queued, or paused where that is
    wanted.
    """
    work.folder.mkdir(parents=True, exist_ok=True)
    doing = asyncio.ensure_future(run(work))
    beating = asyncio.create_task(_beat(work, doing))
    try:
        result = await doing
    except (Stopped, asyncio.CancelledError):
        return await asyncio.shield(_stopped(work))
    except (JobFailedError, AdaptationError, WhetMemoryError, ConfigError, CommandError) as error:
        return await _ended(work, JobStatus.FAILED, error=str(error))
    except Exception as error:  # a defect of a kind's must not leave its job running for ever
        logger.exception("job %s failed", work.job.id)
        return await _ended(work, JobStatus.FAILED, error=f"{type(error).__name__}: {error}")
    else:
        return await _ended(work, JobStatus.SUCCEEDED, result=result)
    finally:
        beating.cancel()
        doing.cancel()
        await asyncio.gather(beating, doing, return_exceptions=True)


async def _beat(work: Work, doing: asyncio.Future[Any]) -> None:
    """Hold the job while it is done, and end what is done where that is wanted."""
    told = ""
    while True:
        await asyncio.sleep(BEAT_S)
        try:
            await asyncio.to_thread(work.beat)
            told = ""
        except WhetMemoryError as error:
            if str(error) != told:  # once, not at every beat
                logger.warning("job %s waits for the storage: %s", work.job.id, error)
            told = str(error)
        except Exception:  # nobody awaits this: a job that is not held is begun twice
            logger.exception("job %s could not be held; it is tried again", work.job.id)
        if work.is_lost or work.wish is not None:
            doing.cancel()
            return


async def _stopped(work: Work) -> JobStatus:
    """Leave the job as its tenant wants it, or to others."""
    if work.is_lost:
        return JobStatus.RUNNING
    if work.wish is Wish.CANCEL:
        return await _ended(work, JobStatus.CANCELLED)
    with suppress(WhetMemoryError):
        await asyncio.to_thread(work.flush)
    left = await asyncio.to_thread(work.memory.jobs.let_go, work.job.id, work.holder)
    return left.status if left is not None else JobStatus.RUNNING


async def _ended(work: Work, status: JobStatus, **outcome: object) -> JobStatus:
    def end() -> None:
        work.flush()
        work.memory.jobs.end(work.job.id, work.holder, status, **outcome)  # type: ignore[arg-type]

    await asyncio.to_thread(end)
    await asyncio.to_thread(shutil.rmtree, work.folder, ignore_errors=True)
    return status
