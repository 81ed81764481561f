"""A file of the tenant's, read into memory as `whet memory import` does it.

What is stored stays stored: a job that is gone on with begins the file anew, and what it meets
again is confirmed. It fails where the tenant's day has no room for more records.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from memory.errors import NotFoundError
from memory.jsonl import ImportReport, import_lines, unlimited
from memory.lines import entries, origin_of_file
from memory.lines.origin import Licence, Provenance
from memory.memory import LongTermMemory
from memory.types import Frozen
from server.import_source import source
from server.jobs.kind import JobFailedError
from server.jobs.threads import in_thread
from server.jobs.work import OnProgress, Work
from server.tenancy.records_left import room_of


class ImportRequest(Frozen):
    """What is to be read, and how."""

    file: str
    """Its id, among the files of the tenant."""
    trust: bool = False
    """Keep the tiers and states that the file claims."""
    unlimited: bool = False
    """An operator asks: `records_per_day` does not hold."""
    drop: bool = False
    """Delete the file afterwards: it was kept for this job alone."""
    licence: Licence | None = None
    provenance: Provenance | None = None


async def run(work: Work) -> dict[str, Any]:
    """Import the file and return the report; lines that cannot be read are a result too."""
    asked = ImportRequest.model_validate(work.job.request)
    if asked.drop and work.job.result is not None:
        return await _dropped(work, asked.file, work.job.result)
    report = await in_thread(work, lambda progress: _imported(work, asked, progress))
    if report.stopped:
        raise JobFailedError(f"stopped after {report.stored} lines: {report.stopped}")
    result = report.model_dump(mode="json")
    return await _dropped(work, asked.file, result) if asked.drop else result


async def _dropped(work: Work, file_id: str, result: dict[str, Any]) -> dict[str, Any]:
    """Delete the file, after its report is kept: whoever goes on has nothing left to read."""
    await work.keep(result)
    with suppress(NotFoundError):
        await asyncio.to_thread(work.memory.files.delete, work.job.tenant, file_id)
    return result


def _imported(work: Work, asked: ImportRequest, progress: OnProgress) -> ImportReport:
    path = work.folder / "file"
    _fetch(work.memory, work.job.tenant, asked.file, path)
    name = work.memory.files.get(work.job.tenant, asked.file).name
    origin = origin_of_file(str(path), asked.licence, asked.provenance)
    room = room_of(work.memory.tenants, work.job.tenant, work.settings)
    with source(str(path)) as (stream, total):
        return import_lines(
            work.memory,
            work.job.tenant,
            entries(stream),
            on_progress=lambda done: progress("import", done, max(done, total) if total else 0),
            trust=asked.trust,
            origin=origin.model_copy(update={"file": name}),
            room=unlimited if asked.unlimited else room,
        )


def _fetch(memory: LongTermMemory, tenant: str, file_id: str, path: Path) -> None:
    with path.open("wb") as file:
        for part in memory.files.content(tenant, file_id):
            file.write(part)
