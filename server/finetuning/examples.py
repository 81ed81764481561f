"""A training file in OpenAI's chat form: an example a line, all looked at before one is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from adaptation.conversation import Conversation
from memory.errors import InvalidImportError
from memory.lines.turns import read_turns
from memory.text import clean
from server.batches.requests import numbered_lines
from server.refusals.errors import ApiError
from server.refusals.soundness import sound_object

T = TypeVar("T")
LEAST_EXAMPLES = 10
"""As at OpenAI."""
MOST_EXAMPLES = 50_000
MOST_FAULTS = 20
"""Told of one file."""
MOST_CHARACTERS = 300
"""Most characters of what is told about one line."""
BOM = b"\xef\xbb\xbf"
MOST_LINE_BYTES = 1 << 20
KEYS = frozenset({"messages", "tools", "parallel_tool_calls"})
SHAPING = ("tools", "parallel_tool_calls")
HINTS: Mapping[str, str] = {
    "functions": "give `tools` in place of `functions`",
    "input": "this is an example of preferences, for the method dpo",
    "prompt": "give `messages` in place of `prompt` and `completion`",
}


class InvalidFileError(Exception):
    """A file holds no examples to learn from; the message names its lines."""


@dataclass(frozen=True)
class Line(Generic[T]):
    """One line, and what is learned of it."""

    number: int
    """From 1."""
    example: T


def read_file(
    content: Iterable[bytes], read: Callable[[dict[str, Any]], T], least: int = LEAST_EXAMPLES
) -> list[Line[T]]:
    """Return the lines of a file, each as `read` makes it; raises `InvalidFileError`."""
    found, faults = list[Line[T]](), list[str]()
    for example in _each(content, read, faults):
        found.append(example)
        if len(found) > MOST_EXAMPLES:
            raise InvalidFileError(f"the file has more than {MOST_EXAMPLES} examples")
    if faults:
        raise InvalidFileError("; ".join(faults))
    if len(found) < least:
        raise InvalidFileError(
            f"the file has {len(found)} examples, and must have at least {least}"
        )
    return found


def _each(
    content: Iterable[bytes], read: Callable[[dict[str, Any]], T], faults: list[str]
) -> Iterator[Line[T]]:
    for number, line in numbered_lines(content):
        try:
            yield Line(number, read(_object(line)))
        except InvalidImportError as error:
            faults.append(f"line {number}: {clean(str(error))[:MOST_CHARACTERS]}")
            if len(faults) == MOST_FAULTS:
                return


def read_conversations(given: dict[str, Any]) -> tuple[Conversation, ...]:
    """Return what is learned of one line: one, or one for each turn to learn where some are not.

    Raises `InvalidImportError`.
    """
    for key in sorted(given.keys() - KEYS):
        hint = HINTS.get(key, f"an example has {', '.join(sorted(KEYS))}")
        raise InvalidImportError(f"`{key}` is not known: {hint}")
    if "messages" not in given:
        raise InvalidImportError("`messages` is missing")
    try:
        turns = read_turns(given["messages"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidImportError(f"`messages`: {where}: {first['msg']}") from error
    learned = _learned(given["messages"], [turn.role for turn in turns])
    for place in learned:
        if not turns[place].content.strip() and not turns[place].tool_calls:
            raise InvalidImportError(f"`messages[{place}]` is to be learned, and says nothing")
    request = _shaping(given)
    said = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    if learned == said:
        return (Conversation(messages=turns[: said[-1] + 1], request=request),)
    parts = (turns[: place + 1] for place in learned)
    return tuple(Conversation(messages=part, request=request, last_only=True) for part in parts)


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > MOST_LINE_BYTES:
        raise InvalidImportError(f"the line has more than {MOST_LINE_BYTES} bytes")
    try:
        line.decode()
        given = sound_object(line.removeprefix(BOM))
    except UnicodeDecodeError as error:
        raise InvalidImportError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    except ApiError as error:
        raise InvalidImportError(error.message) from error
    if given is None:
        raise InvalidImportError("not a JSON object")
    return given


def _shaping(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what shapes the prompt beside the turns; a null is as if it were absent."""
    request = {key: given[key] for key in SHAPING if given.get(key) is not None}
    tools = request.get("tools", [])
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise InvalidImportError("`tools` must be a list of objects")
    if not isinstance(request.get("parallel_tool_calls", True), bool):
        raise InvalidImportError("`parallel_tool_calls` must be true or false")
    return request


def _learned(messages: list[Any], roles: list[str]) -> list[int]:
    """Return the places of the turns to learn: the assistant's, but for those of weight 0."""
    weights = [message.get("weight") for message in messages]
    for place, (role, weight) in enumerate(zip(roles, weights, strict=True)):
        if weight is None:
            continue
        if role != "assistant" or isinstance(weight, bool) or weight not in (0, 1):
            raise InvalidImportError(
                f"`messages[{place}].weight` must be 0 or 1, of a turn of the assistant's"
            )
    places = [i for i, role in enumerate(roles) if role == "assistant" and weights[i] != 0]
    if not places:
        raise InvalidImportError("`messages` hold no turn of the assistant's to learn")
    if places[0] == 0:
        raise InvalidImportError("`messages` begin with the assistant: nothing is asked")
    return places
