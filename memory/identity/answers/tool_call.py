"""Tool calls: name and arguments by value, in the order they are made.

Calls are read out of what a model writes by the parser of its format, which the engine has. Here
they have one form: `{"name": …, "arguments": …}` each, arguments as an object or, as OpenAI has
them, as a string of JSON; `parameters` (Llama 3) is taken for `arguments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memory.identity.answers.answer import Answer
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.json_value import canonical_value, is_invalid, parse_json
from memory.identity.answers.options import AnswerOptions


def extract_tool(text: str, options: AnswerOptions) -> Answer | None:
    """Take a text that is a call, or an array of calls, and nothing else."""
    del options
    value = parse_json(conclusion(text).strip())
    return called(value if isinstance(value, list) else [value])


def called(calls: Sequence[Any]) -> Answer | None:
    """Return calls as an answer; None where there is none, or one of them is no call."""
    try:
        forms = [_canonical_call(call) for call in calls]
    except RecursionError:
        return None
    written = [form for form in forms if form is not None]
    if not written or len(written) < len(forms):
        return None
    key = written[0] if len(written) == 1 else "[" + ",".join(written) + "]"
    return Answer(key, key, structured=True)


def _canonical_call(call: Any) -> str | None:
    """`{"arguments":…,"name":…}`, or None if `call` is not a call."""
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return None
    if not {"arguments", "parameters"} & call.keys():
        return None
    arguments = call.get("arguments", call.get("parameters"))
    if isinstance(arguments, str) and type(arguments) is str:
        decoded = parse_json(arguments)
        arguments = arguments if is_invalid(decoded) else decoded
    return canonical_value({"name": call["name"], "arguments": arguments})
