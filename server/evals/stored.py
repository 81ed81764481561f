"""Answers that Whet has kept as the items of a run: stored completions, and stored responses.

Which they are is settled when the run is made, so that a run that goes on has the same items. What
was erased or expired since is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from memory.errors import NotFoundError
from memory.history.stored_answers import Wanted
from memory.memory import LongTermMemory
from server.evals.specs import MOST_ITEMS, Item, StoredCompletions, StoredResponses
from server.refusals.errors import ApiError

OF_BODY = ("temperature", "top_p")
"""What of a stored response is compared as it stands."""
PAGE = 100


def ids_of(
    memory: LongTermMemory, tenant: str, source: StoredCompletions | StoredResponses
) -> list[str]:
    """Return which answers a source names; raises `ApiError` where there are none."""
    wanted = Wanted(
        created_after=source.created_after,
        created_before=source.created_before,
        model=source.model,
        metadata=source.metadata,
        limit=source.limit or MOST_ITEMS if isinstance(source, StoredCompletions) else MOST_ITEMS,
    )
    if isinstance(source, StoredCompletions):
        memory.completions.flush()  # what was answered a moment ago counts
        found = memory.stored_answers.completions(tenant, wanted)
    else:
        has = {name: value for name in OF_BODY if (value := getattr(source, name)) is not None}
        has |= {} if source.users is None else {"user": source.users}
        found = memory.stored_answers.responses(tenant, wanted, has)
    if not found:
        param = "data_source.source"
        told = f"`{param}` names no stored answer: widen its filters, or ask something first"
        raise ApiError(400, told, param=param)
    return found


def items_of(
    memory: LongTermMemory, tenant: str, kind: str, ids: Sequence[str]
) -> Iterator[tuple[int, Item]]:
    """Yield answers as items with their places, from 1; blocks while it reads."""
    read = _of_completion if kind == "stored_completions" else _of_response
    for place, answer_id in enumerate(ids, 1):
        try:
            yield place, read(memory, tenant, answer_id)
        except NotFoundError:
            continue


def _of_completion(memory: LongTermMemory, tenant: str, completion_id: str) -> Item:
    found = memory.completions.get(tenant, completion_id)
    created = None if found.created_at is None else int(found.created_at.timestamp())
    item = {
        "id": found.id,
        "input": [turn.turn() for turn in found.messages],
        "output_text": found.text,
        "model": found.model,
        "metadata": dict(found.metadata or {}),
        "created_at": created,
    }
    return Item(item=item, sample={"output_text": found.text, "model": found.model})


def _of_response(memory: LongTermMemory, tenant: str, response_id: str) -> Item:
    body = memory.responses.get(tenant, response_id).body
    asked = memory.responses.items(tenant, response_id, PAGE, None, "asc")
    text = _text_of(body)
    item = {
        "id": response_id,
        "input": [_message(each.content) for each in asked],
        "output_text": text,
        "model": body.get("model"),
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or {},
        "created_at": body.get("created_at"),
    }
    return Item(item=item, sample={"output_text": text, "model": body.get("model")})


def _text_of(body: Mapping[str, Any]) -> str:
    parts = [
        part.get("text") or ""
        for said in body.get("output") or ()
        if said.get("type") == "message"
        for part in said.get("content") or ()
    ]
    return "".join(parts)


def _message(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of a response's input as a message of a chat."""
    content = item.get("content")
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        content = "".join(text for text in texts if isinstance(text, str))
    return {"role": item.get("role", "user"), "content": content or ""}
