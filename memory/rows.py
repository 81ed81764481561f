"""Where database rows become domain values and back; the only crossing point."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from memory.identity.answer_key import answer_key
from memory.identity.prompt import Prompt, shaping
from memory.text import clean, trace
from memory.types import (
    Completion,
    Draft,
    Message,
    PastVote,
    Record,
    Source,
    State,
    Tier,
    question_of,
)

ERASED_CONTENT: Mapping[str, Any] = {
    "state": State.ERASED,
    "task": None,
    "question_hash": None,
    "answer_hash": None,
    "question": "",
    "messages": [{"role": "user", "content": ""}],
    "request": {},
    "answer": "",
    "rationale": "",
    "evidence": {},
    "contested": False,
}
"""What remains of a record's content after it was erased."""

RECORD_FIELDS = tuple(sorted(Record.model_fields))
RECORDS = TypeAdapter(list[Record])
JSON_FIELDS = ("messages", "request", "evidence")
MAX_CHARACTERS = 128 * 1024
"""Of a completion's conversation and text together. Agents send the whole conversation each time:
without a bound a day of one would be kept many times over."""
MAX_CUT = 4 * 1024
"""Most characters kept of the text, and of the answer, of one that is longer."""
MAX_CONFIRMATIONS = 32
"""Evidence kept beside the first; more says nothing new and would grow without bound."""
VOTE = "vote_"
"""What the columns of a completion's vote begin with."""


def draft_row(draft: Draft) -> dict[str, Any]:
    """Return the columns of a new record; `state` and `contested` are the caller's to add."""
    return {
        "id": f"rec_{uuid4().hex}",
        "tenant": draft.tenant,
        "task": None if draft.task is None else clean(draft.task),
        "question_hash": prompt_of(draft).fingerprint,
        "answer_hash": answer_key(draft.answer),
        "question": clean(question_of(draft.messages)),
        "messages": message_rows(draft.messages),
        "request": plain(shaping(draft.request)),
        "answer": clean(draft.answer),
        "rationale": clean(draft.rationale),
        "tier": draft.tier,
        "source": draft.source,
        "evidence": plain(draft.evidence),
        "confidence": draft.confidence,
        "uses": 0,
        "wins": 0,
        "model": draft.model,
        "adapter": draft.adapter,
        "created_at": time.time(),
    }


def edited(row: Mapping[str, Any], answer: str, rationale: str, by: str | None) -> dict[str, Any]:
    """Return the columns that an edit changes: whoever edits vouches for it."""
    tier = max(Tier(row["tier"]), Tier.FEEDBACK, key=lambda tier: tier.strength)
    before = {"answer": row["answer"], "rationale": row["rationale"], "tier": row["tier"]}
    before |= {"by": by} if by else {}
    return {
        "answer": clean(answer),
        "rationale": clean(rationale),
        "tier": Tier.FEEDBACK if answer_key(answer) != row["answer_hash"] else tier,
        "evidence": dict(row["evidence"]) | {"edited": before},
    }


def confirmed(known: RowMapping, draft: Draft, state: State) -> dict[str, Any]:
    """Return the columns a confirmation changes; evidence already seen counts once."""
    tier = max(Tier(known["tier"]), draft.tier, key=lambda tier: tier.strength)
    contested = state is State.QUARANTINED and bool(
        known["contested"] or known["state"] == State.ACTIVE
    )
    source = Source(known["source"]).more_real(draft.source)
    changes = {"tier": tier, "source": source, "state": state, "contested": contested}
    evidence = dict(known["evidence"])
    seen = list(evidence.pop("confirmations", []))
    newest = {"tier": str(draft.tier), "evidence": plain(draft.evidence)}
    first = {"tier": str(known["tier"]), "evidence": evidence}
    if newest in seen or (newest == first and evidence) or _brought_twice(newest, [first, *seen]):
        return changes
    doubt = (1 - known["confidence"]) * (1 - draft.confidence)
    confirmations = [*seen, newest][-MAX_CONFIRMATIONS:]
    return changes | {
        "evidence": evidence | {"confirmations": confirmations},
        "confidence": 1 - doubt,
    }


def _brought_twice(newest: Mapping[str, Any], seen: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a file says what one has said: the one may be a copy of the other."""
    return _is_brought(newest) and any(map(_is_brought, seen))


def _is_brought(said: Mapping[str, Any]) -> bool:
    return bool(said["evidence"].get("source") == "import")


def prompt_of(asked: Draft | Completion) -> Prompt:
    """Return what was asked."""
    return Prompt(messages=asked.messages, request=asked.request, task=asked.task)


def record_of(row: RowMapping | Mapping[str, Any]) -> Record:
    """Build the record a row describes; columns that are no field of it are ignored."""
    values = {name: row[name] for name in RECORD_FIELDS}
    return Record(**values | {"created_at": moment(row["created_at"])})


def records_as_read(rows: Sequence[Sequence[Any]]) -> list[Record]:
    """Build the records of rows of `RECORD_FIELDS`, JSON as the text that it is stored in.

    All together: one by one takes twice as long.
    """
    if not rows:
        return []
    columns = dict(zip(RECORD_FIELDS, zip(*rows, strict=True), strict=True))
    for name in JSON_FIELDS:
        columns[name] = tuple(json.loads(f"[{','.join(columns[name])}]"))
    columns["created_at"] = tuple(map(moment, columns["created_at"]))
    values = zip(*columns.values(), strict=True)
    return RECORDS.validate_python([dict(zip(RECORD_FIELDS, row, strict=True)) for row in values])


ELSEWHERE = {"vote", "trial", "tried", "traced", "created_at"}
"""Fields of a completion that are no column of that name."""


def completion_row(completion: Completion) -> dict[str, Any]:
    """Return the columns of a completion."""
    created_at = completion.created_at
    vote = dict.fromkeys(PastVote.model_fields) | dict(completion.vote or {})
    kept = _bounded(completion)
    return {
        **kept.model_dump(exclude={"messages", "request", "text", "answer", *ELSEWHERE}),
        **{f"{VOTE}{name}": value for name, value in vote.items()},
        "text": clean(kept.text),
        "answer": None if kept.answer is None else clean(kept.answer),
        "messages": message_rows(kept.messages),
        "request": plain(shaping(kept.request)),
        "asked_hash": asked_of(completion.messages),
        "created_at": time.time() if created_at is None else created_at.timestamp(),
    }


def asked_of(messages: tuple[Message, ...]) -> str:
    """Return the hash by which the completions of a question are found."""
    return trace(question_of(messages))


def size_of(completion: Completion) -> int:
    """Return how many characters a completion holds."""
    turns = sum(len(turn.content) + len(turn.reasoning or "") for turn in completion.messages)
    turns += sum(len(json.dumps(call)) for turn in completion.messages for call in turn.tool_calls)
    turns += len(json.dumps(shaping(completion.request)))
    turns += sum(len(each.text) for each in completion.traced.samples) if completion.traced else 0
    return turns + len(completion.text) + len(completion.answer or "")


def _bounded(completion: Completion) -> Completion:
    """Return what is kept: of one that is too long its hashes, and the beginning of its text."""
    if completion.report is not None and len(json.dumps(dict(completion.report))) > MAX_CHARACTERS:
        completion = completion.model_copy(update={"report": None})
    if size_of(completion) <= MAX_CHARACTERS:
        return completion
    identity = prompt_of(completion).fingerprint
    answer = completion.answer if len(completion.answer or "") <= MAX_CUT else None
    short: dict[str, Any] = {
        "messages": (),
        "request": {},
        "answer": answer,
        "conversation": identity,
    }
    return completion.model_copy(update={**short, "text": completion.text[:MAX_CUT]})


def completion_of(row: RowMapping) -> Completion:
    """Build the completion a row describes."""
    values = {name: row[name] for name in Completion.model_fields.keys() - ELSEWHERE}
    vote = {name: row[f"{VOTE}{name}"] for name in PastVote.model_fields}
    return Completion(
        **values,
        created_at=moment(row["created_at"]),
        vote=None if vote["leader"] is None else PastVote(**vote),
    )


def message_rows(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return messages as JSON values a database can store."""
    text = json.dumps([message.turn() for message in messages], ensure_ascii=False)
    turns: list[dict[str, Any]] = json.loads(clean(text))
    return turns


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping as JSON gives it back, so that what is stored equals what is compared."""
    stored: dict[str, Any] = json.loads(json.dumps(value, default=str)) if value else {}
    return stored


def moment(seconds: float) -> datetime:
    """Turn Unix seconds into an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)
