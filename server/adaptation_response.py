"""From vLLM's response to ours: the report is attached and the usage made true.

The wire's one crossing point on the way out. vLLM's handlers count the winner's tokens only; every
token the engine generated is billed here.
"""

from __future__ import annotations

import json
import re
from typing import Any

from adaptation.report import AnswerCount
from server.errors import error_body
from server.key_names import told
from server.openai_form import conform
from server.request_context import CURRENT, RequestContext
from server.wording import field_in

_TO_BE_CHANGED = re.compile(rb'"(?:finish_reason": ?"|(?:usage|logprobs)": ?\{)')
"""What stands in the chunks that are not passed on as they are."""


def attach(body: bytes, context: RequestContext) -> bytes:
    """Return a whole response with its report(s)."""
    if not context.reports:
        return body
    response = json.loads(body)
    _attach_reports(response, context)
    if isinstance(response.get("usage"), dict):
        correct_usage(response["usage"], context)
    conform(response)
    return json.dumps(response, ensure_ascii=False, separators=(",", ":")).encode()


def amend_response(response: Any) -> Any:
    """Return one of vLLM's responses with its report and its true usage."""
    context = CURRENT.get()
    if context is None:
        return response
    parts: dict[str, Any] = {}
    _attach_reports(parts, context)
    if response.usage is not None:
        usage = response.usage.model_dump()
        correct_usage(usage, context)
        parts["usage"] = type(response.usage).model_validate(usage)
    return response.model_copy(update=parts)


def attach_to_event(event: bytes, context: RequestContext) -> bytes:
    """Return one server-sent event, with the report if it ends a choice, its usage corrected."""
    if event.startswith(b'data: {"error"'):
        return _shaped_error(event, context.route)
    if not _TO_BE_CHANGED.search(event):
        return event
    prefix, _, data = event.partition(b"data:")
    if not data or data.strip() == b"[DONE]":
        return event
    chunk = json.loads(data)
    if any(choice.get("finish_reason") for choice in chunk.get("choices", ())):
        _attach_reports(chunk, context)
    if isinstance(chunk.get("usage"), dict):
        correct_usage(chunk["usage"], context)
    conform(chunk)
    return prefix + b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def _shaped_error(event: bytes, route: str) -> bytes:
    """Return an error that arose within a stream in the shape that it would have outside."""
    try:
        error = json.loads(event.removeprefix(b"data: "))["error"]
        status = int(error.get("code") or 500)
        message = str(error["message"])
        message = told(route, message) if status == 400 else message
        body = error_body(status, message, param=error.get("param") or field_in(message))
    except (ValueError, KeyError, TypeError, AttributeError):
        return event
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def progress_event(votes: tuple[AnswerCount, ...], context: RequestContext) -> bytes:
    """Return the votes so far as a chunk that carries no content, which clients pass over."""
    progress = {"votes": [entry.model_dump() for entry in votes]}
    chunk = {
        "id": context.id,
        **context.shown_as,
        "choices": [],
        "adaptation": {"progress": progress},
    }
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def _attach_reports(response: dict[str, Any], context: RequestContext) -> None:
    if context.is_single:
        if (report := context.reports.get(0)) is not None:
            response["adaptation"] = report.model_dump(mode="json")
        return
    for choice in response.get("choices", ()):
        report = context.reports.get(choice.get("index", 0) // context.choices)
        if report is not None:
            choice["adaptation"] = report.model_dump(mode="json")


def correct_usage(usage: dict[str, Any], context: RequestContext) -> None:
    """Make `usage` count every generated token; what is not returned is named reasoning."""
    unseen = sum(
        report.tokens.losing + report.tokens.cancelled for report in context.reports.values()
    )
    counted = "output_tokens" if "output_tokens" in usage else "completion_tokens"
    if not (unseen or context.recited):
        return
    for name in (counted, "total_tokens"):
        usage[name] = usage.get(name, 0) + unseen - context.recited
    if not unseen:
        return
    details = usage.get(f"{counted}_details") or {}
    details["reasoning_tokens"] = (details.get("reasoning_tokens") or 0) + unseen
    usage[f"{counted}_details"] = details
