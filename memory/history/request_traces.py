"""How answers came about: the latest of each tenant, for whoever looks at one or at all of them.

Owns the table of traces, which is bounded: of a tenant the latest are kept, of each so much text,
and none longer than its completion may be. A trace is written in the background, with the
completion that it belongs to (`memory.history.completions`), and erased with what it tells of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Text, and_, cast, delete, or_, select

from memory.erasure.blanking import LEAST_CHARS
from memory.errors import NotFoundError
from memory.history.traced import Traced, TracedSample
from memory.paging import place_of
from memory.store.database import Database
from memory.store.dialects import holding
from memory.store.schema import completion, request_trace
from memory.store.upsert import upsert
from memory.text import clean_json, trace
from memory.types import Completion, question_of

MOST_TEXT = 24 * 1024
"""Characters of all samples of a trace together, and of all its steps."""
LONGEST = 4 * 1024
"""Of one text."""
LEAST = 384
"""Of a text that is longer, however many there are."""
MARK = " … "
"""In the place of what was cut out."""
HEAD = LEAST // 2 - len(MARK)
"""Characters of a text that are left at its beginning and its end, wherever it was cut."""

ELSEWHERE = frozenset(
    {
        *("strategy", "requested", "stop_reason", "agreement", "answer", "tokens"),  # the summary's
        *("adapter", "samples", "seconds", "steps"),  # told in another form
    }
)
"""Parts of a report that a trace does not take over as they are."""
Page: TypeAlias = "list[dict[str, Any]]"


class TraceStore:
    """The traces of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, tenant: str, limit: int, after: str | None = None, strategy: str | None = None
    ) -> Page:
        """Return the summaries of a tenant's traces, newest first, following the trace `after`."""
        wanted = request_trace.c.tenant == tenant
        if strategy is not None:
            wanted = and_(wanted, request_trace.c.strategy == strategy)
        with self._database.reading(tenant) as connection:
            if after is not None:
                place = place_of(_row_of, connection, tenant, after).number
                wanted = and_(wanted, request_trace.c.number < place)
            newest = select(request_trace.c.summary).where(wanted)
            newest = newest.order_by(request_trace.c.number.desc()).limit(limit)
            return list(connection.execute(newest).scalars())

    def get(self, tenant: str, completion_id: str) -> dict[str, Any]:
        """Return everything of one trace, and what feedback made of its answer since.

        Raises `NotFoundError`.
        """
        here = and_(completion.c.tenant == tenant, completion.c.id == completion_id)
        with self._database.reading(tenant) as connection:
            row = _row_of(connection, tenant, completion_id)
            judged = select(completion.c.record_id, completion.c.feedback).where(here)
            since = connection.execute(judged).mappings().first()
        return {**row.summary, **row.detail, **(since or {})}


def write_traces(connection: Connection, items: Sequence[Completion], most: int) -> None:
    """Write the traces of completions; each tenant keeps `most`."""
    rows = {(row["tenant"], row["id"]): row for row in map(_row, items) if row is not None}
    if not rows:
        return
    upsert(connection, request_trace, ("tenant", "id"), *rows.values())
    for tenant in {tenant for tenant, _ in rows}:
        mine = request_trace.c.tenant == tenant
        latest = select(request_trace.c.number).where(mine)
        first = latest.order_by(request_trace.c.number.desc()).offset(most).limit(1)
        if (number := connection.execute(first).scalar()) is not None:
            connection.execute(delete(request_trace).where(mine, request_trace.c.number <= number))


def erase_traces(connection: Connection, row: Any, completions: Any) -> int:
    """Erase the traces of a record, of its question and of `completions`, a query of their ids, and
    those that quote the question or the answer's text; return how many.
    """
    about = [
        request_trace.c.record_id == row["id"],
        request_trace.c.asked_hash == trace(row["question"]),
        request_trace.c.id.in_(completions),
        *(_quotes(text) for text in _telling(row)),
    ]
    mine = and_(request_trace.c.tenant == row["tenant"], or_(*about))
    return connection.execute(delete(request_trace).where(mine)).rowcount


def _telling(row: Any) -> list[str]:
    question, rationale = row["question"], row["rationale"]
    told = [question] if question.strip() else []
    return told + ([rationale] if len(rationale) >= LEAST_CHARS else [])


def _quotes(text: str) -> ColumnElement[bool]:
    """Traces that hold a text, or what they would have left of it at its beginning or its end; a
    short one as a whole value.
    """
    is_short = len(text) < LEAST_CHARS
    ends = (text[:HEAD], text[-HEAD:])
    signs = {json.dumps(text)} if is_short else {json.dumps(end)[1:-1] for end in ends}
    columns = (request_trace.c.summary, request_trace.c.detail)
    return or_(*(holding(cast(each, Text), sign) for each in columns for sign in sorted(signs)))


def _row_of(connection: Connection, tenant: str, completion_id: str) -> Any:
    here = and_(request_trace.c.tenant == tenant, request_trace.c.id == completion_id)
    row = connection.execute(select(request_trace).where(here)).first()
    if row is None:
        raise NotFoundError(
            f"there is no trace of {completion_id}: the latest `trace_rows` answers that write "
            "memory and that somebody waited for have one"
        )
    return row


def _row(item: Completion) -> dict[str, Any] | None:
    """Return the columns of a completion's trace; None where it has none."""
    traced, report = item.traced, item.report
    if traced is None or report is None or item.created_at is None:
        return None
    return {
        "tenant": item.tenant,
        "id": item.id,
        "strategy": report["strategy"],
        "record_id": item.record_id,
        "asked_hash": trace(question_of(item.messages)),
        "summary": clean_json(_summary(item, traced, report)),
        "detail": clean_json(_detail(item, traced, report)),
        "at": item.created_at.timestamp(),
    }


def _summary(item: Completion, traced: Traced, report: Mapping[str, Any]) -> dict[str, Any]:
    assert item.created_at is not None
    answer = report["answer"] if report["answer"] is not None else item.answer
    return {
        "object": "trace",
        "id": item.id,
        "asked_at": round(item.created_at.timestamp() - traced.seconds, 3),
        "model": item.model,
        **{name: report[name] for name in ("strategy", "requested", "stop_reason", "agreement")},
        "answer": None if answer is None else cut(answer, LEAST),
        "samples": report["samples"],
        "tokens": report["tokens"],
        "seconds": round(traced.seconds, 4),
        "question": cut(question_of(item.messages), LEAST),
    }


def _detail(item: Completion, traced: Traced, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of one trace beside its summary, or at length in its place."""
    longest = max(LEAST, min(LONGEST, MOST_TEXT // max(1, len(traced.samples))))
    steps, training = _short(report["steps"]), report["adapter"]
    return {
        **_short({name: value for name, value in report.items() if name not in ELSEWHERE}),
        "question": cut(question_of(item.messages), LONGEST),
        "answer": None if item.answer is None else cut(item.answer, LONGEST),
        "adapter": item.adapter,
        "task": item.task,
        "record_id": item.record_id,
        "sample_counts": report["samples"],
        "samples": [_sample(each, longest) for each in traced.samples],
        "steps": steps if len(json.dumps(steps)) <= MOST_TEXT else None,
        "training": training and {**training, "losses": [round(x, 4) for x in traced.losses]},
        "seconds_by_step": report["seconds"],
        "events": [asdict(span) for span in traced.spans],
    }


def _sample(sample: TracedSample, longest: int) -> dict[str, Any]:
    told = asdict(sample)
    for name in ("text", "answer", "key", "end"):
        told[name] = None if told[name] is None else cut(told[name], longest)
    return told


def _short(value: Any) -> Any:
    """Return a JSON value with each of its texts cut."""
    if isinstance(value, str):
        return cut(value, LEAST)
    if isinstance(value, Mapping):
        return {name: _short(each) for name, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, list | tuple) else value


def cut(text: str, longest: int) -> str:
    """Return a text with what is too long taken out of its middle: answers stand at the end."""
    if len(text) <= longest:
        return text
    left = longest - len(MARK)
    return text[: left - left // 2] + MARK + text[-(left // 2) :]
