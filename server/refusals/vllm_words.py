"""What vLLM says of a request, in our words: by table, a row for each of its sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

VLLM: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (
            r".*allowed domains: \['none\.invalid'\].*",
            "images and the like come as `data:` URLs here: this server fetches nothing (its "
            "operator may allow domains with --allowed-media-domains)",
        ),
        (
            r"Scale-out endpoints are disabled\..*",
            "this route is closed here: the server's operator may serve with --enable-scale-out",
        ),
        (r"(\w+) must be in \[(\S+), (\S+)\]", r"`\1` must be from \2 to \3"),
        (r"(\w+) must be in \((\S+), (\S+)\]", r"`\1` must be above \2 and at most \3"),
        (r"(\w+) must be non-negative or -1\b", r"`\1` must be -1 or at least 0"),
        (r"(\w+) must be non-negative\b", r"`\1` must be at least 0"),
        (r"(\w+) must be greater than or equal to (\S+?),? got", r"`\1` must be at least \2"),
        (r"(\w+) must be less than or equal to (\w+)=(\S+),", r"`\1` must be at most \2, \3"),
        (r"(\w+) must be positive\b", r"`\1` must be above 0"),
        (r"(\w+) must be greater than zero\b", r"`\1` must be above 0"),
        (r"(\w+) must be an int(?:eger)?\b", r"`\1` must be a whole number"),
        (r"`(\w+)` must be an integer", r"`\1` must be a whole number"),
        (
            r"`(\w+)` must be a (?:positive value|non-negative integer) or -1",
            r"`\1` must be -1 or at least 0",
        ),
        (r"Parameter '(\w+)' (must.*)", r"`\1` \2"),
        (r"(\w+) must be (at (?:least|most) [\d.]+|a finite number)", r"`\1` must be \2"),
        (
            r"token_id\(s\) \[(-?\d+)[^\]]*\] in (\w+) .*Vocabulary size: (\d+)",
            r"`\2` names tokens outside the vocabulary of \3, such as \1",
        ),
        (
            r"(logit_bias) contains key\(s\) that .*: \[(.*?)[,\]]",
            r"`\1` takes ids of tokens as keys, not \2",
        ),
        (
            r"label_token_id (-?\d+) is out of vocabulary range \[0, (\d+)\)",
            r"`label_token_ids` names tokens outside the vocabulary of \2, such as \1",
        ),
        (r"(items|label_token_ids) must contain at least one", r"`\1` must not be empty"),
        (
            r"extra_args integers",
            r"`vllm_xargs` holds a whole number that does not fit into 64 bits",
        ),
        (r"allowed_token_ids contains", r"`allowed_token_ids` names tokens outside the vocabulary"),
        (r"allowed_token_ids is not None and empty", r"`allowed_token_ids` must not be empty"),
        (r"(stop|bad_words) cannot contain an empty", r"`\1` must not hold an empty string"),
        (
            r"The JSON schema is nested too deeply.*at most (\d+)",
            r"the JSON schema nests objects and arrays deeper than \1: send a flatter one",
        ),
        (
            r"You can only use one kind of (?:structured outputs )?constraint.*",
            r"`structured_outputs` takes one of `json`, `regex`, `choice`, `grammar`",
        ),
        (
            r"You must use one kind of structured outputs",
            r"`structured_outputs` needs one of `json`, `regex`, `choice`, `grammar`",
        ),
        (
            r"You can only either use constraints for structured outputs or tools",
            r"`structured_outputs` and `tools` do not go together: send one of them",
        ),
        (
            r"Choice '\[\]' cannot be an empty list",
            r"`structured_outputs.choice` must not be empty",
        ),
        (
            r"When response_format type is 'json_schema'",
            r"`response_format` of type `json_schema` needs the key `json_schema`",
        ),
        (
            r"(?:Invalid (?:value for )?|Expected field )`\w+`.* in `tool_choice`",
            '`tool_choice` must be {"type": "function", "function": {"name": "…"}}',
        ),
        (
            r"Tool choice '\w+' not found in",
            r"`tool_choice` names a tool that is not among `tools`",
        ),
        (r"Tool choice '\w+' is ambiguous", r"`tool_choice` names a tool that is in `tools` twice"),
        (r"Tool choice 'required' must be", r"`tool_choice` needs `tools`"),
        (
            r"Custom tools with a grammar format",
            r"`tools`: a custom tool takes free text only; leave its `format` out",
        ),
        (
            r"chat completions only support assistant tool_calls",
            r"`messages` takes tool calls of type `function` only",
        ),
        (
            r"Unsupported chat content part type: '?(\w+)'?",
            r"`messages` has a part of type `\1`, which there is not: see /docs for what there is",
        ),
        (
            r"Unsupported input item type: None",
            r"`input` has an item that is no message and has no `type`",
        ),
        (
            r"Unsupported input item type: (\w+)",
            r"`input` has an item of type `\1`, which is not taken here",
        ),
        (
            r"Encrypted content is not supported",
            r"`input` has an item with `encrypted_content`, which is not read here",
        ),
        (
            r"\S+ is not a multimodal model",
            r"`messages` holds more than text, and this model reads nothing else",
        ),
        (r"Cannot apply chat template to an empty conv", r"`messages` must not be empty"),
        (r"You must pass at least one prompt", r"`prompt` must not be empty"),
        (
            r"The decoder prompt cannot be empty",
            r"`prompt` must not be empty, nor `truncate_prompt_tokens` leave nothing of it",
        ),
        (
            r"Chat template is passed with request",
            r"`chat_template` is refused: the server runs without --trust-request-chat-template",
        ),
        (
            r"thinking_token_budget is set but",
            r"`thinking_token_budget` needs a server that runs with --reasoning-parser",
        ),
        (
            r"Streaming is not currently supported with beam search",
            r"`use_beam_search` does not go with `stream`: true",
        ),
        (
            r"suffix is only supported",
            r"`suffix` is not available: this model fills nothing in",
        ),
        (
            r"(\w+)=\d+ cannot be greater than max_model_len=(\d+)",
            r"`\1` must be at most \2, the length of the context",
        ),
        (
            r"(min_count) must be >= (\d+)",
            r"`repetition_detection.\1` must be at least \2",
        ),
        (
            r"max_pattern_size, min_pattern_size must be",
            r"`repetition_detection` needs 0 ≤ `min_pattern_size` ≤ `max_pattern_size`",
        ),
        (
            r"Response with id '(.*)' not found",
            r"`response_id` names no stored response: \1",
        ),
        (
            r"There was an error parsing the body",
            r"The request body cannot be read as JSON in UTF-8",
        ),
        (
            r"Cannot find suitable handler",
            r"`messages`, a list, or `prompt`, a text, is required",
        ),
        (
            r"Batch chat completions do not support `n > 1`",
            r"`n` must be 1: each conversation of a batch gets one answer",
        ),
        (
            r"Expected UploadFile",
            r"must be a file with a name: send it as multipart/form-data",
        ),
        (r"background can only be used when", r"`background` needs `store`: true"),
        (r"Stream options can only be defined", r"`stream_options` needs `stream`: true"),
        (
            r"`?(\w+)`? are not available when `stream=True`",
            r"`\1` does not go with `stream`: true",
        ),
        (r"[Ww]hen using `(\w+)`, `(\w+)` must be set", r"`\1` needs `\2`"),
        (r"(\w+) must be 0 \(disable\), or at least 1", r"`\1` must be 0 (off) or at least 1"),
        (
            r"n must be 1 when using greedy sampling",
            r"`n` must be 1 where `temperature` is 0: all choices would be the same",
        ),
        (
            r"[\w.]+\(\) got multiple values for (?:keyword )?argument '(\w+)'",
            r"`chat_template_kwargs` must not have the key `\1`",
        ),
        (r"Too many bad words after tokenization", r"`bad_words` has too many entries"),
        (
            r"prompt list length \d+ exceeds the maximum allowed count of (\d+)",
            r"`prompt` takes at most \1 entries",
        ),
        (
            r"Only one of `(\w+)` and `(\w+)` can be set",
            r"`\1` and `\2` do not go together: send one of them",
        ),
        (
            r"Per-request (\w+) are disabled by default .*(--[\w-]+)",
            r"`\1` is not taken from requests: the server was started without \2",
        ),
        (
            r"You must set `(--[\w-]+)` to input `(\w+)`",
            r"`\2` is not taken: the server was started without \1",
        ),
        (r"`tools` must not be an empty array", r"`tools` must not be empty: leave it out"),
        (
            r"Invalid value for `tool_choice`",
            r'`tool_choice` must be "none", "auto", "required" or a named tool',
        ),
        (
            r"The tool specified in `tool_choice` does not match",
            r"`tool_choice` names a tool that is not among `tools`",
        ),
        (
            r"(?:Cannot set both )?`?continue_final_message`? and `?add_generation_prompt`?",
            r"`continue_final_message` and `add_generation_prompt` do not go together",
        ),
        (
            r"Requested sample logprobs of .*max allowed: (\d+)",
            r"`logprobs` must be from 0 to \1",
        ),
        (
            r"Token id (\d+) is out of vocabulary",
            r"`prompt` has a token outside the vocabulary: \1",
        ),
        (
            r"\d+ validation errors? for ValidatorIterator",
            r"`messages` has a part of content that is not one: see /docs for what there is",
        ),
        (r"(?:Grammar error|Invalid grammar specification): (.*)", r"\1"),
        (r"Either prompt or prompt_embeds must be", r"`prompt` is required and must not be empty"),
        (
            r".*(?:object (?:is not|has no|of type)|indices must be|not supported between)",
            r"a value of the request is of a type that its field does not take: see /docs",
        ),
    )
)
"""vLLM's sentences by how they begin, and ours."""
_NOTES = re.compile(r"\s*\((?:parameter|value)=.*", re.DOTALL)
"""To the end, which may be cut off."""
_VARIABLE = re.compile(r"\s*(?:To increase|Please set)[^.]*environment variable\.?|\s*VLLM_[A-Z_]+")


def of_vllm(message: str) -> str:
    """Return what vLLM says of a request in our words, or its own without its notes."""
    plain = _NOTES.sub("", message).strip()
    for pattern, words in VLLM:
        if found := pattern.match(plain):
            return found.expand(words)
    return _VARIABLE.sub("", plain)
