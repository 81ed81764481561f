"""vLLM's bodies, brought to OpenAI's published schema, and clients' to what vLLM takes.

There some fields may be absent but not null, and clients made from the schema refuse the null.
Fields of vLLM's own stay: whoever reads them today must find them tomorrow.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

SAID_OF_A_FUNCTION = frozenset({"description", "parameters", "strict"})
SAID_OF_REASONING = frozenset({"effort", "summary"})
"""Keys that are always there, null or not."""
OPENAIS = (
    *("messages", "input", "tools", "tool_choice", "response_format", "text", "reasoning"),
    *("stream_options", "structured_outputs", "adaptation", "system", "thinking"),
    "repetition_detection",
)
"""Keys of a request that hold objects whose keys OpenAI or Anthropic, or Whet, defines."""
CLIENTS = frozenset({"parameters", "schema", "json", "input_schema", "input", "arguments"})
"""Keys in those whose objects the client defines."""


def drop_nulls(request: dict[str, Any]) -> None:
    """Make a null of a request what it means to OpenAI: as if the key were absent.

    In what its own keys hold too, but not in what the client defines, such as a schema. A turn
    without content is another than one whose content is null.
    """
    _leave_out(request, *request)
    waiting = [request[key] for key in OPENAIS if key in request]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            _leave_out(part, *(part.keys() - {"content"}))
            waiting += [part[key] for key in part.keys() - CLIENTS]
        elif isinstance(part, list):
            waiting += part


def conform(body: dict[str, Any]) -> None:
    """Leave out of chats, completions and chunks what OpenAI leaves out, add what it has."""
    _leave_out(body, "system_fingerprint")
    _leave_out(body.get("usage"), "prompt_tokens_details", "completion_tokens_details")
    for choice in body.get("choices", ()):
        _leave_out(choice.get("message"), "annotations", "audio", "function_call")
        logprobs = choice.get("logprobs") or {}
        if "content" in logprobs:  # those of a chat
            logprobs.setdefault("refusal", None)


def conform_response(body: dict[str, Any]) -> None:
    """Do the same for a response of `/v1/responses`, whatever its status."""
    _leave_out(body, "user", "conversation")
    body["metadata"] = body.get("metadata") or {}
    body["usage"] = body.get("usage") or _no_usage()
    body["text"] = text = body.get("text") or {}
    text["format"] = text.get("format") or {"type": "text"}
    for part in (text, text["format"], body.get("tool_choice")):
        _leave_out_nulls(part)
    _leave_out_nulls(body.get("reasoning"), SAID_OF_REASONING)
    for tool in body.get("tools", ()):
        _conform_tool(tool)
    for item in body.get("output", ()):
        conform_item(item)


def conform_item(item: dict[str, Any]) -> None:
    """Do the same for one item of a response's output."""
    _leave_out_nulls(item)
    for part in item.get("content", ()):
        conform_part(part)


def conform_part(part: dict[str, Any]) -> None:
    """Do the same for one part of an item's content."""
    if part.get("type") == "output_text":
        part["logprobs"] = part.get("logprobs") or []
    _leave_out_nulls(part)


def _conform_tool(tool: dict[str, Any]) -> None:
    kept = SAID_OF_A_FUNCTION if tool.get("type") == "function" else ()
    _leave_out_nulls(tool, kept)
    if tool.get("type") == "namespace":
        for inner in tool.get("tools", ()):
            _conform_tool(inner)


def _no_usage() -> dict[str, Any]:
    """Return what a response is charged for that has not ended, or brought nothing.

    OpenAI's schema forbids a null here, that of Open Responses an absent key.
    """
    return {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }


def _leave_out_nulls(part: Any, kept: Collection[str] = ()) -> None:
    if isinstance(part, dict):
        _leave_out(part, *(part.keys() - set(kept)))


def _leave_out(part: dict[str, Any] | None, *names: str) -> None:
    for name in names:
        if part is not None and part.get(name, ...) is None:
            del part[name]
