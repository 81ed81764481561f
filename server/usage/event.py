"""What a request cost, as a CloudEvent: names and counts, no content.

CloudEvents 1.0, https://github.com/cloudevents/spec. The id is made here and never a client's: a
client that repeats its `x-request-id` would else have two requests counted once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from adaptation.report import TokenCounts
from server.telemetry.notes import Answered, Embedded, RequestNote, Unbilled

SOURCE, TYPE = "whet", "whet.request"
Event: TypeAlias = "dict[str, Any]"


def event_of(note: RequestNote) -> Event | None:
    """Return the event of what a request cost since its last one; None where that is nothing."""
    found = note.unbilled()
    if note.tenant is None or found is None:
        return None
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": SOURCE,
        "type": TYPE,
        "subject": note.tenant,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "data": _data(note, note.tenant, found),
    }


def _data(note: RequestNote, tenant: str, found: Unbilled) -> dict[str, Any]:
    reports = [answer.report for answer in found.answers]
    spent = [report.tokens for report in reports] + [tokens for _, tokens in found.abandoned]
    tokens = TokenCounts(
        returned=sum(each.returned for each in spent),
        losing=sum(each.losing for each in spent),
        cancelled=sum(each.cancelled for each in spent),
        training=sum(each.training for each in spent),
    )
    asked: list[Answered | Embedded] = [*found.answers, *found.embedded]
    known = {
        "tenant": tenant,
        "end_user": _first(each.end_user for each in asked),
        "model": _first(each.model for each in asked),
        "strategy": _first(str(report.strategy) for report in reports),
        "request_id": note.id,
        "path": note.path,
        "prompt_tokens": sum(each.prompt_tokens for each in asked),
        "completion_tokens": tokens.generated,
        **{f"{name}_tokens": count for name, count in tokens.model_dump().items()},
    }
    return {name: value for name, value in known.items() if value is not None}


def _first(names: Iterable[str | None]) -> str | None:
    """Return what the prompts of a request have in common: the first one's."""
    return next((name for name in names if name is not None), None)
