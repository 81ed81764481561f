"""From the messages of a request to those that adaptation and memory know.

Each route has a form of its own; what vLLM makes of it for the chat template is what is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from memory.identity.prompt import BESIDE, RAW, shaping
from memory.lines.calls import in_order
from memory.types import Message
from server.requests.media import bare, part_text, without_media
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES
from server.requests.response_words import in_words_of_chat

CALLS = frozenset({"function_call", "custom_tool_call"})
RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
"""Types of the items of a response that call a tool, or bring what came of it."""
OF_TEXTS = (
    "response_format",
    "structured_outputs",
    "suffix",
    "add_special_tokens",
    "truncate_prompt_tokens",
    "truncation_side",
)
"""What shapes a bare prompt; no chat template is given the rest."""
MORE_OF_TURNS = ("tools", "task")
"""Keys of a turn that few templates know."""
BILLING = "x-anthropic-billing-header"
"""How a line begins in which Claude Code says which of its requests this is."""


def conversations(path: str, body: Mapping[str, Any]) -> tuple[tuple[Message, ...], ...]:
    """Return one conversation for each prompt of a request."""
    if path == CHAT:
        messages = body.get("messages")
        turns = messages if isinstance(messages, list) else []
        return (tuple(_message(_ordered(turn)) for turn in turns if isinstance(turn, dict)),)
    if path == RESPONSES:
        return (tuple(_input_messages(body)),)
    texts = _embedded(body.get("prompt_embeds")) + _prompts(body.get("prompt"))
    return tuple((Message(role="user", content=text),) for text in texts or [""])


def _ordered(turn: Mapping[str, Any]) -> dict[str, Any]:
    """Return a turn of a chat whose calls have their keys as vLLM puts them: templates show it."""
    calls = turn.get("tool_calls")
    if not isinstance(calls, list):
        return dict(turn)
    return {**turn, "tool_calls": [in_order(call) for call in calls if isinstance(call, dict)]}


def prompt_shape(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what besides the messages makes the prompt, in the words of chat completions."""
    words = in_words_of_chat(body) if path == RESPONSES else body
    if path == COMPLETIONS:
        words = {key: body[key] for key in OF_TEXTS if key in body}
    given: dict[str, Any] = {**words, RAW: path == COMPLETIONS or None, BESIDE: None}
    if path == CHAT:
        given[BESIDE] = _beside_messages(body.get("messages"))
    if given.get("add_special_tokens") is (path == COMPLETIONS):  # as it would be without
        given["add_special_tokens"] = None
    return shaping(given)


def text_of(item: Mapping[str, Any]) -> str:
    """Return the text of an item of a response: of a message, or of what came of a call."""
    return _text(_turn(item))


def _input_messages(body: Mapping[str, Any]) -> Iterator[Message]:
    """Yield what a response is asked."""
    if body.get("instructions") and isinstance(body["instructions"], str):
        yield Message(role="system", content=body["instructions"])
    asked = body.get("input")
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    listed = items if isinstance(items, list) else ()
    yield from map(_message, _turns(item for item in listed if isinstance(item, dict)))


def _turns(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the turns that items are parts of: thoughts, words and calls of one are one turn."""
    turns: list[dict[str, Any]] = []
    for item in items:
        turn = _turn(item)
        last = turns[-1] if turns else {}
        if turn["role"] == last.get("role") == "assistant" and _adds_to(last, turn):
            last["tool_calls"] = [*last.get("tool_calls", ()), *turn.pop("tool_calls", ())]
            last.update(turn)
        else:
            turns.append(turn)
    return turns


def _adds_to(turn: Mapping[str, Any], more: Mapping[str, Any]) -> bool:
    """Whether what comes is something that the turn does not have, or another call."""
    return all(turn.get(key) is None for key in ("content", "reasoning") if key in more)


def _turn(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = item.get("type")
    if kind in CALLS:
        return {"role": "assistant", "tool_calls": [_call(item)]}
    if kind in RESULTS:
        content, call = item.get("output"), item.get("call_id")
        return {"role": "tool", "content": content, "tool_call_id": call}
    if kind == "reasoning":
        return {"role": "assistant", "reasoning": _thought(item)}
    if "content" not in item:
        return {"role": "tool", "content": dict(item)}
    if item.get("role") == "assistant" and isinstance(item["content"], list):
        parts = [part for part in item["content"] if isinstance(part, dict)]
        return {"role": "assistant", "content": "".join(part_text(part) for part in parts)}
    return {"role": "user", **item}


def _call(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call in the form of chats; what a tool without a schema is given is its `input`."""
    name = "__".join(filter(None, [item.get("namespace"), item.get("name")]))
    arguments = item.get("arguments")
    if item.get("type") == "custom_tool_call":
        arguments = json.dumps({"input": item.get("input")}, ensure_ascii=False)
    function = {"name": name, "arguments": arguments}  # vLLM's order here; see `in_order`
    return {"id": item.get("call_id"), "function": function, "type": "function"}


def _thought(item: Mapping[str, Any]) -> str:
    parts = item.get("content") or item.get("summary") or [{}]
    first = parts[0] if isinstance(parts, list) and isinstance(parts[0], dict) else {}
    return str(first.get("text", ""))


def _message(turn: Mapping[str, Any]) -> Message:
    """Return a turn; calls, their results and earlier thoughts are kept as they were given."""
    calls, result, name = (turn.get(key) for key in ("tool_calls", "tool_call_id", "name"))
    thought = turn.get("reasoning")
    thought = turn.get("reasoning_content") if thought is None else thought
    return Message(
        role=str(turn.get("role", "user")),
        content=_text(turn),
        tool_calls=tuple(bare(call) for call in calls or () if isinstance(call, dict)),
        tool_call_id=result if isinstance(result, str) else None,
        name=name if isinstance(name, str) else None,
        reasoning=thought if isinstance(thought, str) else None,
    )


def _text(turn: Mapping[str, Any]) -> str:
    """Return a turn's text; an image stands as its hash."""
    content = turn.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return _unbilled(content) if turn.get("role") == "system" else content
    if isinstance(content, list) and all(isinstance(part, dict | str) for part in content):
        texts = (part if isinstance(part, str) else part_text(part) for part in content)
        said = map(_unbilled, texts) if turn.get("role") == "system" else texts
        return "\n".join(filter(None, said))  # vLLM passes over what says nothing
    return without_media(content)


def _unbilled(text: str) -> str:
    """Return a system's text without the line that vLLM strikes: it is new in every request."""
    return text.partition("\n")[2] if text.startswith(BILLING) else text


def _beside_messages(turns: object) -> dict[str, Any]:
    """Return by its place what else a turn tells a template, which no `Message` holds."""
    listed = enumerate(turns if isinstance(turns, list) else ())
    told = {
        str(place): {key: turn[key] for key in MORE_OF_TURNS if turn.get(key)}
        for place, turn in listed
        if isinstance(turn, dict)
    }
    return {place: more for place, more in told.items() if more}


def _prompts(prompt: object) -> list[str]:
    """Return one text for each prompt; token ids have none, and are never remembered by text."""
    if prompt is None:
        return []
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int):
        return [item if isinstance(item, str) else "" for item in prompt]
    return [""]


def _embedded(prompts: object) -> list[str]:
    """Return nothing for each prompt that is given by its embeddings; vLLM answers those first."""
    if prompts is None:
        return []
    return [""] * (len(prompts) if isinstance(prompts, list) else 1)
