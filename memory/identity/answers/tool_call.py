"""Tool calls: name and arguments by value, in the order they are made.

Reads the Hermes form `<tool_call>{"name": …, "arguments": …}</tool_call>` and the bare object or
array of objects; `parameters` (Llama 3) is taken for `arguments`. Prose around the calls is not
part of the answer.
"""

from __future__ import annotations

from typing import Any

from memory.identity.answers.answer import Answer
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.json_value import canonical_value, is_invalid, parse_json
from memory.identity.answers.options import AnswerOptions

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"


def extract_tool(text: str, options: AnswerOptions) -> Answer | None:
    """Take every call; None where there is none or one of them is malformed."""
    del options
    text = conclusion(text)
    calls = _tagged(text) if _OPEN in text else _bare(text)
    if not calls:
        return None
    try:
        forms = [_canonical_call(call) for call in calls]
    except RecursionError:
        return None
    written = [form for form in forms if form is not None]
    if len(written) < len(forms):
        return None
    key = written[0] if len(written) == 1 else "[" + ",".join(written) + "]"
    return Answer(key, key, structured=True)


def _tagged(text: str) -> list[Any]:
    bodies = text.split(_OPEN)[1:]
    return [parse_json(body.split(_CLOSE, 1)[0].strip()) for body in bodies]


def _bare(text: str) -> list[Any]:
    value = parse_json(text.strip())
    if isinstance(value, dict):
        return [value]
    return value if isinstance(value, list) else []


def _canonical_call(call: Any) -> str | None:
    """`{"arguments":…,"name":…}`, or None if `call` is not a call."""
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return None
    if not {"arguments", "parameters"} & call.keys():
        return None
    arguments = call.get("arguments", call.get("parameters"))
    if isinstance(arguments, str) and type(arguments) is str:
        decoded = parse_json(arguments)  # OpenAI's wire form: arguments as a JSON string
        arguments = arguments if is_invalid(decoded) else decoded
    return canonical_value({"name": call["name"], "arguments": arguments})
