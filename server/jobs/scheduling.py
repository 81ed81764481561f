"""Asks for the jobs that schedules want, one at a time for each schedule.

A moment that passed while no server ran is made up for once. Of several servers one asks.
"""

from __future__ import annotations

import logging

from memory.errors import ConflictError, NotFoundError
from memory.memory import LongTermMemory
from memory.offline.job import Job, NewJob
from memory.offline.schedule import Schedule
from server.jobs.cron import next_moment
from server.jobs.limits import MOST_OPEN

logger = logging.getLogger(__name__)

COUNT_S = 60.0
"""Between two counts of new records, where no time is named."""


def next_look(cron: str | None, now: float) -> float:
    """Return when a schedule is looked at next, in Unix seconds."""
    return next_moment(cron, now) if cron is not None else now + COUNT_S


def ask_for_due(memory: LongTermMemory, now: float) -> list[Job]:
    """Make the jobs whose time has come; return them."""
    taken = (
        schedule
        for schedule in memory.schedules.due(now)
        if memory.schedules.take(schedule, next_look(schedule.cron, now))
    )
    made = (_asked(memory, schedule) for schedule in taken if _has_reason(memory, schedule))
    return [job for job in made if job is not None]


def _has_reason(memory: LongTermMemory, schedule: Schedule) -> bool:
    """Whether there is enough that is new, and its last job is done."""
    least = schedule.least_records
    if least is not None and memory.schedules.new_records(schedule) < least:
        return False
    return not _is_open(memory, schedule)


def _is_open(memory: LongTermMemory, schedule: Schedule) -> bool:
    if schedule.last_job is None:
        return False
    try:
        return memory.jobs.get(schedule.tenant, schedule.last_job).is_open
    except NotFoundError:  # it ended so long ago that it is forgotten
        return False


def _asked(memory: LongTermMemory, schedule: Schedule) -> Job | None:
    new = NewJob(tenant=schedule.tenant, kind=schedule.kind, request=schedule.request)
    try:
        job = memory.jobs.create(new, MOST_OPEN)
    except ConflictError as error:
        logger.warning("schedule %s begins no job: %s", schedule.id, error)
        return None
    memory.schedules.begun(schedule, job.id)
    logger.info("schedule %s begins job %s", schedule.id, job.id)
    return job
