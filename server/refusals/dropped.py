"""Keys that vLLM leaves out without a word, and what says the same: refused with that advice."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeGuard

from server.refusals.errors import ApiError
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES

OURS = "adaptation"
GUIDANCE = "use `structured_outputs`"
GUIDED = MappingProxyType(
    {
        "guided_json": 'use `structured_outputs`: {"json": …}',
        "guided_choice": 'use `structured_outputs`: {"choice": […]}',
        "guided_regex": 'use `structured_outputs`: {"regex": "…"}',
        "guided_grammar": 'use `structured_outputs`: {"grammar": "…"}',
        "guided_decoding_backend": f"{GUIDANCE}; the server chooses who keeps to it",
        "guided_whitespace_pattern": (
            'use `structured_outputs`: {"regex": "…"} where white space matters; '
            "JSON is written without"
        ),
    }
)
"""Names of earlier releases of vLLM, and what is used instead."""
ELSEWHERE = MappingProxyType(
    {
        **dict.fromkeys(("json_schema", "regex", "grammar", "ebnf", "structural_tag"), GUIDANCE),
        "extra_body": "send what it holds beside `model`",
        "stop_sequences": "use `stop`",
        "repeat_penalty": "use `repetition_penalty`",
        "logits_processors": "none are loaded for a request",
        "moderation": "nothing is moderated here",
    }
)
"""Names that other servers and clients have for what is here, or is not."""
LENGTHS = ("max_new_tokens", "num_predict", "n_predict")
"""Other names of the number of tokens that are generated."""
NO_HISTORY = "send the earlier messages"
NO_COMPACTION = "nothing is compacted here"
NO_SEARCH = "nothing is searched here"
ONLY_TEXT = "only text is generated"
OF_RESPONSES = ("background", "include", "max_tool_calls")
INSTEAD: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        CHAT: {
            **GUIDED,
            **ELSEWHERE,
            "functions": "use `tools`",
            "function_call": "use `tool_choice`",
            "max_output_tokens": "use `max_completion_tokens`",
            "instructions": "use a message of role `system`",
            "system": "use a message of role `system`",
            "text": "use `response_format`",
            "reasoning": "use `reasoning_effort`",
            "previous_response_id": NO_HISTORY,
            "conversation": NO_HISTORY,
            "web_search_options": NO_SEARCH,
            "audio": ONLY_TEXT,
            "best_of": "a vote ranks its `n`",
            **dict.fromkeys(LENGTHS, "use `max_completion_tokens`"),
            **dict.fromkeys(("prompt", "input"), "use `messages`"),
            **dict.fromkeys(OF_RESPONSES, f"use {RESPONSES}"),
            **dict.fromkeys(("suffix", "prompt_embeds"), f"use {COMPLETIONS}"),
            "context_management": NO_COMPACTION,
            "truncation": "use `truncate_prompt_tokens`",
            "format": "use `response_format`",
            "thinking": "use `reasoning_effort`",
            "enable_thinking": 'use `chat_template_kwargs`: {"enable_thinking": …}',
        },
        COMPLETIONS: {
            **GUIDED,
            **ELSEWHERE,
            "max_completion_tokens": "use `max_tokens`",
            "max_output_tokens": "use `max_tokens`",
            "top_logprobs": "use `logprobs`, a number",
            **dict.fromkeys(LENGTHS, "use `max_tokens`"),
            "format": "use `response_format`",
            "text": "use `response_format`",
            **dict.fromkeys(("tools", "tool_choice", "functions"), f"use {CHAT}"),
            **dict.fromkeys(("function_call", "instructions", "system"), f"use {CHAT}"),
            **dict.fromkeys(("messages", "input"), f"use `prompt`, or {CHAT}"),
            **dict.fromkeys(("chat_template", "chat_template_kwargs", "documents"), f"use {CHAT}"),
            **dict.fromkeys(("add_generation_prompt", "continue_final_message"), f"use {CHAT}"),
            **dict.fromkeys(OF_RESPONSES, f"use {RESPONSES}"),
            **dict.fromkeys(("previous_response_id", "conversation"), NO_HISTORY),
            "context_management": NO_COMPACTION,
            "truncation": "use `truncate_prompt_tokens`",
            "web_search_options": NO_SEARCH,
            "audio": ONLY_TEXT,
        },
        RESPONSES: {
            **GUIDED,
            **ELSEWHERE,
            "response_format": 'use `text.format`: `text`: {"format": …}',
            "max_tokens": "use `max_output_tokens`",
            "max_completion_tokens": "use `max_output_tokens`",
            "system": "use `instructions`",
            "format": 'use `text`: {"format": …}',
            "thinking": 'use `reasoning`: {"effort": …}',
            **dict.fromkeys(LENGTHS, "use `max_output_tokens`"),
            "functions": "use `tools`",
            "function_call": "use `tool_choice`",
            "reasoning_effort": 'use `reasoning`: {"effort": …}',
            "logprobs": 'use `top_logprobs`, and "message.output_text.logprobs" in `include`',
            "prompt": "no templates are kept; use `instructions` and `input`",
            "context_management": NO_COMPACTION,
            "messages": "use `input`",
            "verbosity": 'use `text`: {"verbosity": …}',
            "web_search_options": NO_SEARCH,
            "audio": ONLY_TEXT,
            **dict.fromkeys(("suffix", "prompt_embeds"), f"use {COMPLETIONS}"),
            **dict.fromkeys(("documents", "thinking_token_budget"), f"use {CHAT}"),
            **dict.fromkeys(("add_generation_prompt", "continue_final_message"), f"use {CHAT}"),
            **dict.fromkeys(("truncation_side", "return_token_ids"), f"use {CHAT}"),
            **dict.fromkeys(("n", "best_of", "echo", "use_beam_search"), f"use {CHAT}"),
            **dict.fromkeys(("min_tokens", "bad_words", "allowed_token_ids"), f"use {CHAT}"),
            **dict.fromkeys(("prompt_logprobs", "length_penalty"), f"use {CHAT}"),
            **dict.fromkeys(("truncate_prompt_tokens", "chat_template"), f"use {CHAT}"),
        },
        "/v1/messages": {
            **GUIDED,
            "stop": "use `stop_sequences`",
            "max_completion_tokens": "use `max_tokens`",
            "max_output_tokens": "use `max_tokens`",
            **dict.fromkeys(("response_format", "structured_outputs", "seed"), f"use {CHAT}"),
            **dict.fromkeys(("n", "best_of"), f"use {CHAT}"),
            **dict.fromkeys(("logprobs", "top_logprobs", "logit_bias"), f"use {CHAT}"),
            **dict.fromkeys(("presence_penalty", "frequency_penalty"), f"use {CHAT}"),
            **dict.fromkeys(("repetition_penalty", "min_p", "min_tokens"), f"use {CHAT}"),
            **dict.fromkeys(LENGTHS, "use `max_tokens`"),
            "output_format": 'use `output_config`: {"format": …}',
            "reasoning_effort": 'use `output_config`: {"effort": …}',
            "prompt": "use `messages`",
            **dict.fromkeys(("mcp_servers", "container"), "no tools are run here"),
        },
        "/v1/chat/completions/batch": GUIDED,
        "/invocations": GUIDED,
        "/generative_scoring": dict.fromkeys(GUIDED, "labels are scored, and nothing is written"),
    }
)
"""By route: keys that are dropped, and what to use in their place."""
AS_ALWAYS: Mapping[str, object] = MappingProxyType(
    {
        "n": 1,
        "best_of": 1,
        "min_tokens": 0,
        "length_penalty": 1,
        "repetition_penalty": 1,
        "repeat_penalty": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "min_p": 0,
        "top_logprobs": 0,
        "logit_bias": {},
        "truncation": "disabled",
    }
)
"""Values that ask for what is done anyway."""


def refuse_dropped(path: str, body: Mapping[str, Any]) -> None:
    """Refuse what would be left out; raises `ApiError` (400)."""
    _refuse_misspelt(body)
    advice = INSTEAD.get(path, {})
    guided = {param: GUIDANCE for param in body if advice and param.startswith("guided_")}
    for param, instead in {**guided, **advice}.items():
        if _asks_for_something(param, body):
            raise ApiError(400, f"`{param}` is not available: {instead}", param=param)
    if path == CHAT:
        _refuse_other_media(body.get("modalities"))
    elif path == COMPLETIONS:
        _refuse_ranking(body)
    form = body.get("response_format")
    if isinstance(form, dict) and "schema" in form and path in INSTEAD:
        name = "response_format.schema"
        message = f"`{name}` is not available: use `response_format.json_schema.schema`"
        raise ApiError(400, message, param=name)


def _refuse_misspelt(body: Mapping[str, Any]) -> None:
    """Refuse Whet's own key in another spelling, as no engine or server knows it."""
    for param in body:
        if param[:1] in "aA" and param != OURS and get_close_matches(param.lower(), [OURS], 1, 0.8):
            message = f"`{param}` is not available: use `{OURS}`"
            raise ApiError(400, message, param=param)


def _asks_for_something(param: str, body: Mapping[str, Any]) -> bool:
    """Null, false, an empty list and `thinking` that is disabled ask for nothing; an empty object
    for what it stands for, unless `AS_ALWAYS` has it."""
    value = body.get(param)
    is_empty = value is None or value is False or value in ([], "")
    is_off = param == "thinking" and isinstance(value, dict) and value.get("type") == "disabled"
    return not is_empty and not is_off and value != AS_ALWAYS.get(param, ...)


def _refuse_other_media(modalities: object) -> None:
    if modalities is None or modalities == [] or modalities == ["text"]:
        return
    raise ApiError(400, '`modalities` must be ["text"]: nothing else is made', param="modalities")


def _refuse_ranking(body: Mapping[str, Any]) -> None:
    best_of, n = body.get("best_of"), body.get("n") or 1
    if best_of is None:
        return
    if not is_number(best_of) or best_of < 1:
        message = "`best_of` must be a whole number of at least 1, or be left out"
        raise ApiError(400, message, param="best_of")
    if is_number(n) and best_of > n:
        message = "`best_of` above `n` is not available: a vote ranks its `n`"
        raise ApiError(400, message, param="best_of")


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value of a body is a number."""
    return isinstance(value, int | float)
