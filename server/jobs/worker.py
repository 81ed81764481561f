"""The process of one job: `python -m server.jobs.worker TENANT JOB HOLDER SOCKET`, settings on
stdin; by the socket it asks the server that began it.

It works with what serving leaves: at the lowest priority of the processor.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import closing

from memory.offline.job import JobStatus
from server.config import Settings
from server.jobs.bridge import BridgeTransport
from server.jobs.folders import folder_of
from server.jobs.kinds import run_of
from server.jobs.logs import told_to
from server.jobs.performing import perform
from server.jobs.work import Work
from server.memory_opening import memory_of
from server.telemetry.exporting import telemetry_of
from server.telemetry.lines import set_up
from server.telemetry.notes import JobNote, working_on

NICENESS = 19


def main() -> int:
    """Do the job; status 0 whatever became of it, as that is in the database."""
    tenant, job_id, holder, way = sys.argv[1:]
    os.nice(NICENESS)
    settings = Settings.model_validate_json(sys.stdin.read())
    set_up(settings.log_format)
    with closing(memory_of(settings)) as memory:
        job = memory.jobs.take(tenant, job_id, holder)
        folder = folder_of(settings.data_dir, job_id)
        telemetry = telemetry_of(settings)
        asks = BridgeTransport(socket.socket(fileno=int(way)), telemetry.headers)
        work = Work(job, memory, settings, folder, holder, asks=asks)
        watched = telemetry.work(f"job {job.kind}", job=job_id, tenant=tenant)
        with told_to(work), working_on(JobNote(job_id)), closing(telemetry), watched:
            asyncio.run(_until_ended(work))
    return 0


async def _until_ended(work: Work) -> JobStatus:
    """Do the job, or leave it to others where this process is to end."""
    task = asyncio.create_task(perform(work, run_of(work.job.kind)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


if __name__ == "__main__":
    sys.exit(main())
