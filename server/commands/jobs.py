"""`whet jobs`: the offline work of a tenant, whoever does it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from server.commands.common import (
    Subparsers,
    add_folder_arguments,
    add_tenant_argument,
    command_parser,
    number_between,
    open_tables,
    settings_of,
)
from server.commands.scheduling import list_or_remove
from server.terminal import complain, plain, print_fields, print_json, print_json_line, print_table

if TYPE_CHECKING:
    from memory.memory import LongTermMemory
    from memory.offline.job import Job, JobEvent

EXAMPLES = """\
  whet jobs list
  whet jobs show job_0123456789ab
  whet jobs logs job_0123456789ab --follow
  whet jobs pause job_0123456789ab       and `whet jobs resume` goes on from there
  whet jobs cancel job_0123456789ab
  whet jobs schedules                    what begins by itself
"""
FOLLOW_S = 1.0
"""Between looks for what is new."""
PAGE = 100
TIMES = ("created_at", "started_at", "ended_at")


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet jobs` and its sub-commands."""
    summary = "list, show, cancel, pause and resume offline work, and read its logs"
    parser = command_parser(subparsers, "jobs", summary, EXAMPLES)
    below = parser.add_subparsers(metavar="ACTION", required=True)
    for name, (what, run) in _ACTIONS.items():
        example = (
            "  whet jobs list\n" if name == "list" else f"  whet jobs {name} job_0123456789ab\n"
        )
        action = command_parser(below, name, what, example)
        add_tenant_argument(action, "whose jobs")
        add_folder_arguments(action)
        if name == "list":
            action.add_argument(
                "--limit",
                type=number_between(1, 1000),
                default=50,
                help="most jobs that are shown (default: 50)",
            )
        else:
            action.add_argument("id", metavar="ID")
        if name == "logs":
            action.add_argument(
                "--follow",
                action="store_true",
                help="until the job ends; with --json a line for each event",
            )
        action.set_defaults(run=run, shown_by="whet jobs list")
    _add_schedules(below)


def _add_schedules(below: Subparsers) -> None:
    examples = "  whet jobs schedules\n  whet jobs schedules --remove sched_0123456789ab\n"
    action = command_parser(below, "schedules", "list what begins by itself, or end it", examples)
    add_tenant_argument(action, "whose schedules")
    add_folder_arguments(action)
    action.add_argument("--remove", metavar="ID", help="begin no more of its jobs")
    action.set_defaults(run=list_or_remove, shown_by="whet jobs schedules")


def _list(args: argparse.Namespace) -> int:
    with open_tables(args) as memory:
        found = memory.jobs.list(args.tenant, args.limit + 1)
        shown = found[: args.limit]
        waits = {} if args.json else _waits(args, memory, shown)
    if args.json:
        print_json({"data": [_fields(job) for job in shown], "has_more": len(found) > args.limit})
    elif not shown:
        print("no jobs; `whet distill` makes one")
    else:
        columns = ("id", "kind", "status", "created", "progress", "why not")
        print_table(columns, [_row(job, waits.get(job.id)) for job in shown])
        if len(found) > args.limit:
            print(f"and older ones: `whet jobs list --limit {min(1000, 10 * args.limit)}`")
    return 0


def _show(args: argparse.Namespace) -> int:
    with open_tables(args) as memory:
        job = memory.jobs.get(args.tenant, args.id)
        waits = {} if args.json else _waits(args, memory, [job])
    if args.json:
        print_json(_fields(job))
        return 0
    shown = _fields(job) | {
        "progress": _progress(job) or None,
        "waits_for": waits.get(job.id),
        **{name: at and _second(at) for name in TIMES if (at := getattr(job, name))},
    }
    generation = _generation_of(job)
    print_fields({**shown, "result": None, **generation} if generation else shown)
    return 0


def _logs(args: argparse.Namespace) -> int:
    with open_tables(args) as memory:
        if args.follow:
            _tell_queued(args, memory)
        for event in _told(memory, args):
            if args.json:
                print_json_line(event.model_dump(mode="json"))
            else:
                print(_line(event), flush=True)
    return 0


def _tell_queued(args: argparse.Namespace, memory: LongTermMemory) -> None:
    """Say of a job that is followed why it says nothing yet."""
    job = memory.jobs.get(args.tenant, args.id)
    if job.status == "queued":
        found = _waits(args, memory, [job]).get(job.id)
        complain(f"{job.id} is queued{f'; it waits for {found}' if found else ''}")


def _told(memory: LongTermMemory, args: argparse.Namespace) -> Iterator[JobEvent]:
    """Yield what was told of a job, the oldest first; where it is followed, until it ends."""
    last: str | None = None
    while True:
        is_open = memory.jobs.get(args.tenant, args.id).is_open
        page = memory.jobs.events(args.tenant, args.id, PAGE, last, oldest=True)
        yield from page
        last = page[-1].id if page else last
        if len(page) == PAGE:
            continue
        if not (args.follow and is_open):
            return
        time.sleep(FOLLOW_S)


def _wish(name: str) -> Any:
    def run(args: argparse.Namespace) -> int:
        from memory.offline.job import Wish

        with open_tables(args) as memory:
            job = memory.jobs.ask(args.tenant, args.id, Wish(name))
        if args.json:
            print_json(_fields(job))
        else:
            print(f"{job.id} is {_status(job)}")
        return 0

    return run


def _generation_of(job: Job) -> dict[str, object]:
    """Return the report of a distillation as its own command prints it; empty without one."""
    from memory.offline.job import JobKind, JobStatus

    if job.kind is not JobKind.DISTILL or job.status is not JobStatus.SUCCEEDED:
        return {}
    from pydantic import ValidationError

    from adaptation.learning.distillation.comparison import report_in
    from server.commands.distill import fields_of

    try:
        return fields_of(report_in(job.result or {}))
    except ValidationError:  # an older build wrote it
        return {}


def _waits(args: argparse.Namespace, memory: LongTermMemory, jobs: Sequence[Job]) -> dict[str, str]:
    """Return for whom jobs wait, by their ids.

    The device is looked for, which may take seconds, once, and only where one may wait.
    """
    from memory.offline.job import JobStatus
    from server.config import ConfigError
    from server.jobs.device import TRAINS, lock_of_device
    from server.jobs.waiting import waits_for

    queued = [job for job in jobs if job.status is JobStatus.QUEUED and job.kind in TRAINS]
    if not queued:
        return {}
    try:
        lock = lock_of_device(settings_of(args))
    except ConfigError:  # the accelerator of the settings is another machine's
        return {}
    return {job.id: whom for job in queued if (whom := waits_for(memory.jobs, lock, job))}


def _fields(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json")


def _row(job: Job, waits_for: str | None) -> tuple[object, ...]:
    created = f"{datetime.fromtimestamp(job.created_at, UTC):%Y-%m-%d %H:%M}"
    now = f"waits for {waits_for}" if waits_for else _progress(job)
    return (job.id, job.kind, _status(job), created, now, plain(job.error or "", 60))


def _status(job: Job) -> str:
    return f"{job.status} ({job.wanted} wanted)" if job.wanted else job.status


def _progress(job: Job) -> str:
    now = job.progress
    if now is None or not job.is_open:
        return ""
    return f"{now.phase} {now.done}/{now.total}" if now.total else f"{now.phase} {now.done}"


def _line(event: JobEvent) -> str:
    level = "" if event.level == "info" else f"{event.level}: "
    return f"{_second(event.at)}  {level}{plain(event.message)}"


def _second(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


_ACTIONS = {
    "list": ("list the jobs, newest first", _list),
    "show": ("show how far a job is, or what came of it", _show),
    "logs": ("print what was told of a job", _logs),
    "cancel": ("end a job; one under way ends within seconds", _wish("cancel")),
    "pause": ("have a job rest until it is resumed", _wish("pause")),
    "resume": ("go on with a job that rests", _wish("resume")),
}
