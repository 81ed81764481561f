"""The flags by which a command is repeated by the server, and `whet jobs schedules`."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from server.commands.common import number_between, open_tables
from server.terminal import print_fields, print_json, print_table

if TYPE_CHECKING:
    from memory.memory import LongTermMemory
    from memory.offline.job import NewJob
    from memory.offline.schedule import Schedule

MOST_RECORDS = 1_000_000


def add_schedule_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that have the server begin such a job again and again."""
    parser.add_argument(
        "--schedule",
        metavar="CRON",
        type=_cron,
        help='have the server do this again and again: "0 3 * * *" is at 3:00 UTC every day',
    )
    parser.add_argument(
        "--when",
        metavar="N",
        type=_records,
        help="have the server do this whenever N records (or N-new-records) that may train are new "
        "since the last time; with --schedule: at its times, if so",
    )


def scheduled(memory: LongTermMemory, args: argparse.Namespace, job: NewJob) -> int:
    """Keep the schedule that the flags ask for, and say so."""
    from memory.offline.schedule import NewSchedule
    from server.jobs.scheduling import next_look

    made = memory.schedules.create(
        NewSchedule(
            tenant=job.tenant,
            kind=job.kind,
            request=job.request,
            cron=args.schedule,
            least_records=args.when,
            next_at=next_look(args.schedule, time.time()),
        )
    )
    print_fields({"schedule": made.id, "kind": made.kind, "begins a job": _when(made)})
    return 0


def list_or_remove(args: argparse.Namespace) -> int:
    """Show the tenant's schedules, or remove one."""
    with open_tables(args) as memory:
        if args.remove is not None:
            memory.schedules.delete(args.tenant, args.remove)
        found = memory.schedules.list(args.tenant)
    if args.json:
        print_json({"data": [_fields(each) for each in found]})
    elif not found:
        print("no schedules; `whet distill --schedule` or `--when` makes one")
    else:
        print_table(("id", "kind", "begins a job", "last job"), [_row(each) for each in found])
        print("`whet jobs schedules --remove ID` removes one")
    return 0


def _fields(schedule: Schedule) -> dict[str, Any]:
    return schedule.model_dump(mode="json", exclude={"seen"})


def _row(schedule: Schedule) -> tuple[object, ...]:
    return (schedule.id, schedule.kind, _when(schedule), schedule.last_job)


def _when(schedule: Schedule) -> str:
    least = schedule.least_records
    enough = f"when {least} records are new" if least is not None else ""
    if schedule.cron is None:
        return enough
    at = f"{datetime.fromtimestamp(schedule.next_at, UTC):%Y-%m-%d %H:%M}"
    return ", ".join(filter(None, [f"at {schedule.cron} (next {at} UTC)", enough]))


def _cron(text: str) -> str:
    from server.jobs.cron import check_cron

    try:
        return check_cron(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _records(text: str) -> int:
    return number_between(1, MOST_RECORDS)(text.removesuffix("-new-records"))
