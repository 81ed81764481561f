"""Lines of OpenAI's preference and reinforcement files as what is trained on.

Knows the wire form of one line; a file, its size and its counts are somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adaptation.conversation import Conversation
from memory.errors import InvalidImportError
from memory.lines.turns import read_turns, refuse_unknown
from memory.types import Frozen, Message

SHAPING = ("tools", "parallel_tool_calls")
"""What besides the turns makes the prompt of an example."""
PAIR_KEYS = frozenset({"input", "preferred_output", "non_preferred_output"})
INPUT_KEYS = frozenset({"messages", *SHAPING})


class Pair(Frozen):
    """Two answers to one prompt, each conversation ending with its answer."""

    preferred: Conversation
    other: Conversation


class GradedPrompt(Frozen):
    """A prompt, and the line that it stands on: what a grader knows as `item`."""

    prompt: Conversation
    item: Mapping[str, Any]


def read_pair(line: Mapping[str, Any]) -> Pair:
    """Return one line of a preference file; raises `InvalidImportError` that names the field."""
    refuse_unknown(line, PAIR_KEYS, "a preference")
    given = line.get("input")
    if not isinstance(given, dict):
        raise InvalidImportError('"input" is not an object with "messages"')
    refuse_unknown(given, INPUT_KEYS, '"input"')
    prompt, request = _prompt(given, '"input"'), _request(given)
    preferred, other = (_answer(line, key) for key in ("preferred_output", "non_preferred_output"))
    if preferred == other:
        raise InvalidImportError('"preferred_output" and "non_preferred_output" are the same')
    return Pair(
        preferred=Conversation(messages=(*prompt, preferred), request=request),
        other=Conversation(messages=(*prompt, other), request=request),
    )


def read_graded(line: Mapping[str, Any], reasoning_effort: str | None = None) -> GradedPrompt:
    """Return one line of a reinforcement file; raises `InvalidImportError` that names the field.

    Whatever stands beside the prompt is the grader's. `reasoning_effort` goes to the template.
    """
    effort = {"reasoning_effort": reasoning_effort} if reasoning_effort else {}
    prompt = Conversation(messages=_prompt(line, "a line"), request=_request(line) | effort)
    return GradedPrompt(prompt=prompt, item=line)


def _prompt(given: Mapping[str, Any], where: str) -> tuple[Message, ...]:
    turns = read_turns(given.get("messages"))
    if turns[-1].role not in ("user", "tool"):
        raise InvalidImportError(f"the last of the messages of {where} is not the user's")
    return turns


def _answer(line: Mapping[str, Any], key: str) -> Message:
    if not isinstance(line.get(key), list) or len(line[key]) != 1:
        raise InvalidImportError(f'"{key}" is not a list of one message')
    (answer,) = read_turns(line[key])
    if answer.role != "assistant":
        raise InvalidImportError(f'the message of "{key}" is not the assistant\'s')
    if not (answer.content.strip() or answer.tool_calls):
        raise InvalidImportError(f'the message of "{key}" is empty')
    return answer


def _request(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: given[key] for key in SHAPING if given.get(key) is not None}
