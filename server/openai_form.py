"""vLLM's chat completions, completions and chunks, brought to OpenAI's published schema.

There some fields may be absent but not null, and clients made from the schema refuse the null.
Fields of vLLM's own stay: whoever reads them today must find them tomorrow.
"""

from __future__ import annotations

from typing import Any


def conform(body: dict[str, Any]) -> None:
    """Leave out what OpenAI leaves out, add what it always has."""
    _leave_out(body, "system_fingerprint")
    _leave_out(body.get("usage"), "prompt_tokens_details", "completion_tokens_details")
    for choice in body.get("choices", ()):
        _leave_out(choice.get("message"), "annotations", "audio", "function_call")
        logprobs = choice.get("logprobs") or {}
        if "content" in logprobs:  # those of a chat
            logprobs.setdefault("refusal", None)


def _leave_out(part: dict[str, Any] | None, *names: str) -> None:
    for name in names:
        if part is not None and part.get(name, ...) is None:
            del part[name]
