"""`whet memory stats | list | show | review | edit …`: looking at records and deciding on them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from memory.errors import NotFoundError
from memory.records import DOUBT, LIKE_IT
from memory.types import Record, State
from server.commands.common import open_memory, settings_of
from server.terminal import UsageError, plain, print_fields, print_json, print_table

if TYPE_CHECKING:
    from memory.memory import LongTermMemory

HELD_BACK = (State.PENDING, State.QUARANTINED)
_TOLD_ALREADY = {"tenant", "record_id", "content"}
Doubted: TypeAlias = tuple[Record, list[Record]]
"""A record that is doubted, and those most like it."""
REVIEW_PAGE = 200
"""Records listed for review at a time, of each state."""


def stats(args: argparse.Namespace) -> int:
    """Print counts."""
    with open_memory(args) as memory:
        found = memory.stats(args.tenant)
    if args.json:
        print_json(found)
    else:
        print_fields({name: _counts(value) for name, value in found.items()})
    return 0


def list_records(args: argparse.Namespace) -> int:
    """Print one page of records."""
    state = State(args.state) if args.state else None
    with open_memory(args) as memory:
        records = memory.list(
            args.tenant,
            state=state,
            task=args.task,
            q=args.query,
            limit=args.limit + 1,
            after=args.after,
        )
    _print_records(records[: args.limit], args)
    if len(records) > args.limit:
        print(f"there are more: add --after {records[args.limit - 1].id}", file=sys.stderr)
    return 0


def show(args: argparse.Namespace) -> int:
    """Print everything about one record."""
    with open_memory(args) as memory:
        record = memory.get(args.tenant, args.id)
        considered = memory.candidates.of_record(args.tenant, args.id)
    fields = record.model_dump(mode="json")
    if considered:
        fields["candidate"] = considered[0].model_dump(mode="json", exclude=_TOLD_ALREADY)
    if args.json:
        print_json(fields)
        return 0
    turns = {f"{i + 1}. {m.role}": m.content for i, m in enumerate(record.messages)}
    known = {k: v for k, v in fields.items() if k != "messages" and v is not None}
    print_fields(known | turns)
    return 0


def quarantine(args: argparse.Namespace) -> int:
    """Take records out of use, without losing what they say."""
    decisions = [(record_id, State.QUARANTINED, args.reason) for record_id in args.ids]
    with open_memory(args) as memory:
        records = _decide(memory, args.tenant, decisions)
    _print_records(records, args)
    return 0


def edit(args: argparse.Namespace) -> int:
    """Correct one record."""
    given = [text for text in (args.answer, args.rationale) if text is not None]
    if not given:
        raise UsageError("nothing to edit: add --answer, --rationale or both")
    if not all(text.strip() for text in given):
        raise UsageError("an answer and a rationale cannot be empty")
    with open_memory(args) as memory:
        record = memory.revise(args.tenant, args.id, answer=args.answer, rationale=args.rationale)
    _print_records([record], args)
    return 0


def review(args: argparse.Namespace) -> int:
    """Accept and reject records, or list those that wait for it."""
    decisions = [(i, State.ACTIVE, "accepted in review") for i in args.accept]
    decisions += [(i, State.EXPIRED, "rejected in review") for i in args.reject]
    if both := set(args.accept) & set(args.reject):
        raise UsageError(f"{', '.join(sorted(both))}: accept or reject, not both")
    with open_memory(args) as memory:
        if not decisions:
            pages = [memory.list(args.tenant, state=s, limit=REVIEW_PAGE) for s in HELD_BACK]
            records = [record for page in pages for record in page]
            doubted = [] if args.json else _doubted(memory, records)
        else:
            records, doubted = _decide(memory, args.tenant, decisions), []
    _print_records(records, args)
    _print_doubted(doubted)
    return 0


def _doubted(memory: LongTermMemory, records: Sequence[Record]) -> list[Doubted]:
    """Return the doubted of some records, with those most like each that are still there."""
    doubted = [record for record in records if DOUBT in record.evidence]
    return [(record, list(_like(memory, record))) for record in doubted]


def _like(memory: LongTermMemory, record: Record) -> Iterator[Record]:
    for record_id in record.evidence.get(LIKE_IT, ()):
        with suppress(NotFoundError):  # a trusted import names records of another memory
            found = memory.get(record.tenant, record_id)
            if found.state is not State.ERASED:
                yield found


def _print_doubted(doubted: Sequence[Doubted]) -> None:
    for record, near in doubted:
        print(f"\n{record.id} is doubted: {plain(str(record.evidence[DOUBT]))}")
        rows = [(r.id, r.state, _question(r), plain(r.answer, 30)) for r in (record, *near)]
        print_table(("id", "state", "question", "answer"), rows)


def _decide(
    memory: LongTermMemory, tenant: str, decisions: Sequence[tuple[str, State, str]]
) -> list[Record]:
    """Move records to other states: all of them, or none where one is not there."""
    for record_id, _, _ in decisions:
        memory.get(tenant, record_id)
    return [memory.set_state(tenant, *decision) for decision in decisions]


def _print_records(records: Sequence[Record], args: argparse.Namespace) -> None:
    if args.json:
        print_json([record.model_dump(mode="json") for record in records])
        return
    if not records:
        print("no records")
        where = f"{settings_of(args).data_dir}, tenant {args.tenant}"
        print(f"looked in {where}; `whet memory stats` counts what is there", file=sys.stderr)
        return
    rows = [(r.id, r.state, r.tier, _question(r), plain(r.answer, 30)) for r in records]
    print_table(("id", "state", "tier", "question", "answer"), rows)


def _question(record: Record) -> str:
    task = f"[{record.task}] " if record.task else ""
    return plain(task + record.question, 70)


def _counts(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items() if count) or "none"
    return str(value)
