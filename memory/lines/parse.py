"""From the text of one imported line to a draft.

`forms` says what a line may look like; what it holds beside that is refused by name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from memory.errors import InvalidImportError
from memory.lines.forms import Fields, form_of
from memory.lines.origin import NOWHERE, Origin, origin_of_line
from memory.types import Draft, Source, State, Tier

MAX_LINE_BYTES = 1 << 20
MAX_TEXT_CHARACTERS = 64_000


@dataclass(frozen=True)
class Line:
    """A draft, and the best state it may get."""

    draft: Draft
    state: State = State.ACTIVE


def parse_line(
    line: str | bytes, tenant: str, *, trust: bool, origin: Origin = NOWHERE
) -> Line | None:
    """Read one line; None for a blank one, `InvalidImportError` for one that makes no record.

    `origin` is what is known of its file, and is kept with the record.
    """
    fields = _read(line)
    if fields is None:
        return None
    try:
        parsed = form_of(fields).fields(fields)
        known = {**origin.evidence(), **origin_of_line(fields).evidence()}
        return Line(_with(_draft(parsed, tenant, trust), known), _state(parsed))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidImportError(f"{where}: {first['msg']}") from error


def _read(line: str | bytes) -> Fields | None:
    raw = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
    if len(raw) > MAX_LINE_BYTES:
        raise InvalidImportError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        text = raw.decode("utf-8-sig").strip()
        if not text:
            return None
        value = json.loads(text)
    except UnicodeDecodeError as error:
        raise InvalidImportError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidImportError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidImportError("not a JSON object")
    return {key: given for key, given in value.items() if given is not None}


def _draft(fields: Fields, tenant: str, trust: bool) -> Draft:
    names = ("task", "messages", "answer", "rationale")
    content: Fields = {name: fields.get(name) for name in names}
    draft = Draft(
        **content,
        tenant=tenant,
        tier=Tier.VOTE if fields.get("tier") == Tier.VOTE else Tier.IMPORTED,  # a vote stays one
        source=_source(fields),
        request=fields.get("request") or {},
        evidence={"source": "import"} if "tier" in fields else fields["evidence"],
    )
    asked = [message for message in draft.messages if message.role == "user"]
    if not asked:
        raise InvalidImportError("no message is the user's")
    if not asked[-1].content.strip():
        raise InvalidImportError("the question is empty")
    if not draft.answer.strip():
        raise InvalidImportError("the answer is empty")
    _refuse_long(draft)
    return _trusted(draft, fields) if trust and "tier" in fields else draft


def _source(fields: Fields) -> Source:
    """Return where a line is from: practice that was exported is no file of other people's."""
    given: Any = fields.get("source", Source.IMPORTED)
    try:
        return Source.IMPORTED.less_real(Source(given))
    except ValueError as error:
        raise InvalidImportError(f'"source" is not one of {", ".join(Source)}') from error


def _with(draft: Draft, known: Fields) -> Draft:
    return draft.model_copy(update={"evidence": {**draft.evidence, **known}}) if known else draft


def _trusted(draft: Draft, fields: Fields) -> Draft:
    """Keep what our own export says of a record."""
    names = ("source", "evidence", "confidence", "model", "adapter")
    claims = {name: fields[name] for name in names if name in fields}
    kept = Draft(**dict(draft) | claims | {"tier": fields["tier"]})
    # A file is no execution: the best it can claim is that something independent agreed.
    if kept.tier is Tier.EXECUTABLE:
        return kept.model_copy(update={"tier": Tier.CORROBORATED})
    return kept


def _state(fields: Fields) -> State:
    given: Any = fields.get("state")
    try:
        state = State.ACTIVE if given is None else State(given)
    except ValueError as error:
        known = ", ".join(sorted(set(State) - {State.ERASED}))
        raise InvalidImportError(f'"state" is not one of {known}') from error
    if state is State.ERASED:
        raise InvalidImportError("an erased record has nothing to import")
    return state


def _refuse_long(draft: Draft) -> None:
    request = json.dumps(draft.request)
    turns = [turn.content + json.dumps(turn.tool_calls) for turn in draft.messages]
    thoughts = [turn.reasoning or "" for turn in draft.messages]
    texts = [draft.answer, draft.rationale, draft.task or "", request, *turns, *thoughts]
    if any(len(text) > MAX_TEXT_CHARACTERS for text in texts):
        raise InvalidImportError(f"a text is longer than {MAX_TEXT_CHARACTERS} characters")
