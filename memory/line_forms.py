"""One imported line, in any of the forms there are, turned into a draft.

Three forms: `{"messages": […, the assistant's turn], "answer"?}` as for OpenAI fine-tuning,
`{"question", "answer", "rationale"?}`, and a line of our own export. Whatever else a line holds is
refused by name, never guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from memory.errors import InvalidImportError
from memory.types import Draft, Message, State, Tier

MAX_LINE_BYTES = 1 << 20
MAX_TEXT_CHARACTERS = 64_000
MAX_MESSAGES = 256

Fields = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A draft, and the best state it may get."""

    draft: Draft
    state: State = State.ACTIVE


def parse_line(line: str | bytes, tenant: str, *, trust: bool) -> Line | None:
    """Read one line; None for a blank one, `InvalidImportError` for one that makes no record."""
    fields = _read(line)
    if fields is None:
        return None
    form = _form(fields)
    try:
        parsed = form(fields)
        return Line(_draft(parsed, tenant, trust), _state(parsed))
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
    return value


def _form(fields: Fields) -> Callable[[Fields], Fields]:
    if "state" in fields and "tier" in fields:
        return _from_export
    if "messages" in fields:
        return _from_conversation
    if "question" in fields:
        return _from_question
    raise InvalidImportError('neither "messages" nor "question" is there')


def _from_export(fields: Fields) -> Fields:
    return fields | {"messages": _messages(fields.get("messages"))}


def _from_conversation(fields: Fields) -> Fields:
    messages = _messages(fields["messages"])
    if len(messages) < 2 or messages[-1].role != "assistant":
        raise InvalidImportError("the last message is not the assistant's")
    rationale = messages[-1].content
    answer = fields.get("answer")
    if answer is None:
        answer = rationale.rpartition("####")[2].strip()
    return {
        "messages": messages[:-1],
        "answer": answer,
        "rationale": rationale,
        "task": fields.get("task"),
    }


def _from_question(fields: Fields) -> Fields:
    message = Message(role="user", content=fields["question"])
    rationale = fields.get("rationale")
    return {
        "messages": (message,),
        "answer": fields.get("answer"),
        "rationale": fields.get("answer") if rationale is None else rationale,
        "task": fields.get("task"),
    }


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_MESSAGES:
        raise InvalidImportError(f'"messages" is not a list of 1 to {MAX_MESSAGES}')
    return tuple(_message(item) for item in value)


def _message(item: Any) -> Message:
    if not isinstance(item, dict):
        raise InvalidImportError("a message is not a JSON object")
    content = item.get("content")
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if not isinstance(content, str):
        raise InvalidImportError("a message has no text content")
    return Message(role=item.get("role", ""), content=content)


def _part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise InvalidImportError("a message has a part that is not text")


def _draft(fields: Fields, tenant: str, trust: bool) -> Draft:
    names = ("task", "messages", "answer", "rationale")
    content: Fields = {name: fields.get(name) for name in names}
    evidence = {"source": "import"}
    draft = Draft(**content, tenant=tenant, tier=Tier.IMPORTED, evidence=evidence)
    if not any(message.role == "user" for message in draft.messages):
        raise InvalidImportError("no message is the user's")
    if not draft.answer.strip():
        raise InvalidImportError("the answer is empty")
    _refuse_long(draft)
    return _trusted(draft, fields) if trust and "tier" in fields else draft


def _trusted(draft: Draft, fields: Fields) -> Draft:
    """Keep what our own export says of a record."""
    names = ("evidence", "confidence", "model", "adapter")
    claims = {name: fields[name] for name in names if name in fields}
    kept = Draft(**dict(draft) | claims | {"tier": fields["tier"]})
    # A file is no execution: the best it can claim is that something independent agreed.
    if kept.tier is Tier.EXECUTABLE:
        return kept.model_copy(update={"tier": Tier.CORROBORATED})
    return kept


def _state(fields: Fields) -> State:
    try:
        state = State(fields.get("state", State.ACTIVE))
    except ValueError as error:
        raise InvalidImportError(str(error)) from error
    if state is State.ERASED:
        raise InvalidImportError("an erased record has nothing to import")
    return state


def _refuse_long(draft: Draft) -> None:
    texts = [draft.answer, draft.rationale, draft.task or "", *(m.content for m in draft.messages)]
    if any(len(text) > MAX_TEXT_CHARACTERS for text in texts):
        raise InvalidImportError(f"a text is longer than {MAX_TEXT_CHARACTERS} characters")
