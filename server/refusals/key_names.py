"""What the engine's keys are called on each route, and its sentences with them."""

from __future__ import annotations

from collections.abc import Mapping

from server.refusals.vllm_words import of_vllm
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES

_PROMPTS: Mapping[str, str] = {
    CHAT: "messages",
    COMPLETIONS: "prompt",
    RESPONSES: "input",
    "/v1/messages": "messages",
    "/v1/embeddings": "input",
}
"""By route, the key that holds the prompt."""
_RENAMED: Mapping[str, Mapping[str, str]] = {
    CHAT: {"logprobs": "top_logprobs"},
    RESPONSES: {
        "logprobs": "top_logprobs",
        "max_tokens": "max_output_tokens",
        "response_id": "previous_response_id",
    },
    "/v1/messages": {
        "max_completion_tokens": "max_tokens",
        "stop": "stop_sequences",
        "structured_outputs": "output_config.format",
    },
}
"""By route, keys that the engine knows by another name."""


def prompt_key(route: str) -> str:
    """Return the key that holds the prompt."""
    return _PROMPTS.get(route, "messages")


def renamed(route: str, key: str) -> str:
    """Return what a key of the engine's is called."""
    return _RENAMED.get(route, {}).get(key, key)


def told(route: str, given: str) -> str:
    """Return what vLLM says of a request in our words, with the keys as they are called here."""
    message = of_vllm(given)
    prompts = dict.fromkeys(("messages", "prompt"), _PROMPTS[route]) if route in _PROMPTS else {}
    names = {**prompts, **_RENAMED.get(route, {})}
    for theirs, ours in names.items():
        if f"`{ours}`" not in message:
            message = message.replace(f"`{theirs}`", f"`{ours}`")
    return message
