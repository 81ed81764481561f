"""What is the same question: a prompt and its fingerprint.

Identity is exact and never a similarity: the embeddings of "sort ascending" and "sort descending"
have a cosine of .965.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from memory.identity.answers.json_value import canonical_json
from memory.text import clean, digest
from memory.types import Frozen, Message, question_of

RAW = "raw"
"""Says that the text is the whole prompt, as on `/v1/completions`: no chat template is applied."""
BESIDE = "beside_messages"
"""What turns hold beside what a `Message` does."""
MEDIUM = re.compile(r"\[[a-z]+ sha256:[0-9a-f]{32}\]")
"""What stands in a text for an image, a sound or a file: see `server.requests.media`."""
REQUEST_KEYS = frozenset(
    {"tools", "tool_choice", "parallel_tool_calls"}
    | {"response_format", "structured_outputs"}
    | {"chat_template", "chat_template_kwargs", "documents", "reasoning_effort"}
    | {"add_generation_prompt", "continue_final_message", "add_special_tokens", RAW, BESIDE}
    | {"truncate_prompt_tokens", "truncation_side", "suffix"}
    | {"mm_processor_kwargs", "media_io_kwargs"}
)
"""What besides the messages makes a prompt, or the form its answer must have; OpenAI's and vLLM's
names, and `RAW`."""
DEFAULTS: Mapping[str, Any] = {
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "add_generation_prompt": True,
    "continue_final_message": False,
}
"""Values that say what is so without them."""
OF_TOOLS = ("tool_choice", "parallel_tool_calls")
"""What says nothing where there is no tool."""
WITH_NULLS = ("chat_template_kwargs", "structured_outputs", "response_format")
"""Objects in which null stands for what is left out."""


class Prompt(Frozen):
    """A question with everything that makes it this question."""

    messages: tuple[Message, ...]
    """The conversation up to and including the question."""
    request: Mapping[str, Any] = {}
    """The keys of `REQUEST_KEYS` that were given."""
    task: str | None = None

    @property
    def question(self) -> str:
        """The last user turn."""
        return question_of(self.messages)

    @property
    def fingerprint(self) -> str:
        """A SHA-256 in hex: equal for the same question, and for no other.

        Earlier turns and the system prompt count: "and in French?" is a new question in each
        conversation, and the same sum may have another answer under another system prompt.
        """
        return digest([self.task, same_turns(self.messages), shaping(self.request)])


def same_turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return turns that are equal where the same was said, thought, called and brought back.

    A call goes by its place in the conversation, and its arguments by their value: ids are drawn
    at random, and JSON may be laid out in any way.
    """
    places: dict[str, int] = {}
    n_calls = 0
    turns = []
    for message in messages:
        turn = message.turn() | {"content": spelled(message.content)}
        if message.tool_calls:
            turn["tool_calls"] = [_call(call) for call in message.tool_calls]
            for call in message.tool_calls:
                places[str(call.get("id"))], n_calls = n_calls, n_calls + 1
        if message.tool_call_id is not None:
            turn["tool_call_id"] = places.get(message.tool_call_id)
        if message.reasoning is not None:
            turn["reasoning"] = spelled(message.reasoning)
        turns.append({key: value for key, value in turn.items() if _says(key, value)})
    return turns


def spelled(text: str) -> str:
    """Return the one spelling of a text: NFC, `\\n` for every end of a line, nothing around it.

    Nothing else is folded: case, indentation, superscripts and inner spaces are meaning.
    """
    lines = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", lines).strip()


def shaping(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a request's body shapes its prompt; nothing for an ordinary one."""
    given = {key: request[key] for key in REQUEST_KEYS & request.keys()}
    if not given:
        return {}
    if isinstance(given.get("tools"), list):
        given["tools"] = [_given(tool, "function") for tool in given["tools"]]
    given |= {key: _given(given[key], "json_schema") for key in WITH_NULLS if key in given}
    given = {key: value for key, value in given.items() if value not in (None, [], {})}
    silent = () if "tools" in given else OF_TOOLS
    if "truncate_prompt_tokens" not in given:
        silent = (*silent, "truncation_side")
    return {
        key: value
        for key, value in given.items()
        if value != DEFAULTS.get(key) and key not in silent
    }


def _given(fields: Any, inner: str) -> Any:
    """Return an object without nulls, nor those of its part `inner`: libraries write all they know.

    A schema keeps its own, where null may be a value.
    """
    if not isinstance(fields, Mapping):
        return fields
    shown = {key: value for key, value in fields.items() if value is not None}
    return shown | ({inner: _given(shown[inner], "")} if inner in shown else {})


def _says(key: str, value: Any) -> bool:
    return key == "content" or value not in (None, "")


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call without its id, and with its arguments in canonical form."""
    function = call.get("function")
    own = {key: value for key, value in call.items() if key != "id"}
    if not isinstance(function, Mapping):
        return own
    return own | {"function": {**function, "arguments": _arguments(function.get("arguments"))}}


def _arguments(given: Any) -> str:
    """Return arguments in canonical form; what is no JSON is itself, and nothing is no argument."""
    text = given if isinstance(given, str) else json.dumps(given or {})
    return canonical_json(text or "{}") or text
