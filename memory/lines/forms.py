"""The forms of a line that are known, each with its keys and how it is read.

A key that no form knows is refused by name: a typo would otherwise lose what it holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from memory.errors import InvalidImportError
from memory.identity.answer_key import contradiction, worked_answer
from memory.identity.answers.tool_call import called
from memory.lines.calls import as_text
from memory.lines.turns import read_learned, read_shared, read_turns, refuse_unknown
from memory.types import Message, Record

Fields = dict[str, Any]
COMMON = frozenset({"task", "state", "id", "licence", "provenance"})
"""What a line of any form may say."""
SHAPING = frozenset({"tools", "tool_choice", "response_format", "parallel_tool_calls"})
"""What of a request makes its question another one."""


@dataclass(frozen=True)
class Form:
    """One form of a line."""

    name: str
    marks: frozenset[str]
    """The keys that tell it."""
    keys: frozenset[str]
    """What else it may hold, beside `COMMON`."""
    read: Callable[[Fields], Fields]
    """Return messages, answer, rationale and request."""

    def fields(self, line: Fields) -> Fields:
        """Read a line of this form; raises InvalidImportError."""
        refuse_unknown(line, self.marks | self.keys | COMMON, f"a line of {self.name}")
        return self.read(line)


def form_of(line: Mapping[str, Any]) -> Form:
    """Return the first form whose marks a line has."""
    found = next((form for form in FORMS if form.marks <= line.keys()), None)
    if found is None:
        known = "; ".join(", ".join(sorted(form.marks)) for form in FORMS[1:])
        given = ", ".join(sorted(line)[:8]) or "none"
        raise InvalidImportError(f"the line has the keys {given}, and of no known form: {known}")
    return found


def _exported(line: Fields) -> Fields:
    return line | {"messages": read_turns(line["messages"])}


def _conversation(line: Fields) -> Fields:
    return _learned(read_learned(line["messages"]), _with_tools(line))


def _with_tools(line: Fields) -> Fields:
    """Return a line whose functions, as OpenAI had them before, are tools."""
    if "functions" not in line:
        return line
    if "tools" in line:
        raise InvalidImportError('"functions" and "tools" say the same: give one')
    functions = _parsed(line["functions"])
    if not isinstance(functions, list):
        raise InvalidImportError('"functions" is not a list')
    tools = [{"type": "function", "function": function} for function in functions]
    return {key: line[key] for key in line if key != "functions"} | {"tools": tools}


def _shared(line: Fields) -> Fields:
    turns = read_shared(line["conversations"])
    if turns[-1].role != "assistant":
        raise InvalidImportError("the last turn is not the assistant's")
    return _learned(_with_system(line, turns), line)


def _instruction(line: Fields) -> Fields:
    said = [_text(line, "instruction"), _text(line, "input", "")]
    question = Message(role="user", content="\n\n".join(filter(None, said)))
    before: list[Message] = []
    for pair in line.get("history") or ():
        if not isinstance(pair, list) or len(pair) != 2:
            raise InvalidImportError('"history" is not a list of pairs')
        before += [Message(role="user", content=pair[0]), _said(pair[1])]
    turns = (*before, question, _said(_text(line, "output")))
    return _learned(_with_system(line, turns), line)


def _completion(line: Fields) -> Fields:
    prompt, completion = line["prompt"], line["completion"]
    if isinstance(prompt, list) and isinstance(completion, list):
        return _learned(read_learned([*prompt, *completion]), line)
    asked = Message(role="user", content=_text(line, "prompt"))
    return _learned((asked, _said(_text(line, "completion"))), line)


def _question(line: Fields) -> Fields:
    asked = Message(role="user", content=_text(line, "question"))
    rationale = _one_of(line, "rationale", "solution")
    answer = _text(line, "answer")
    if rationale is None:
        return _learned((asked, _said(answer)), {key: line[key] for key in line if key != "answer"})
    return _learned((asked, _said(rationale)), line)


FORMS = (
    Form("an export", frozenset({"state", "tier", "messages"}),
         frozenset(Record.model_fields), _exported),
    Form("a conversation", frozenset({"messages"}),
         SHAPING | {"answer", "functions"}, _conversation),
    Form("ShareGPT", frozenset({"conversations"}), frozenset({"system", "tools"}), _shared),
    Form("Alpaca", frozenset({"instruction", "output"}),
         frozenset({"input", "system", "history"}), _instruction),
    Form("prompt and completion", frozenset({"prompt", "completion"}), frozenset(), _completion),
    Form("question and answer", frozenset({"question", "answer"}),
         frozenset({"rationale", "solution"}), _question),
)  # fmt: skip


def _learned(turns: tuple[Message, ...], line: Mapping[str, Any]) -> Fields:
    """Return what a conversation teaches: its last turn, and the answer in it."""
    last = turns[-1]
    if len(turns) < 2:
        raise InvalidImportError("nothing is asked")
    if last.reasoning:
        raise InvalidImportError(
            '"reasoning" of the turn to learn would be lost: put it in its text'
        )
    answer, said = line.get("answer"), as_text(last.content, last.tool_calls)
    if isinstance(answer, str) and not last.tool_calls and (told := contradiction(said, answer)):
        raise InvalidImportError(told)
    kept = {"id": line["id"]} if line.get("id") is not None else {}
    return {
        "messages": turns[:-1],
        "answer": _answer_in(said, last) if answer is None else answer,
        "rationale": said,
        "request": {key: _parsed(line[key]) for key in SHAPING if line.get(key) is not None},
        "task": line.get("task"),
        "state": line.get("state"),
        "evidence": {"source": "import", **kept},
    }


def _answer_in(text: str, turn: Message) -> str:
    """Return what a turn answers: where it calls tools, the calls."""
    calls = called([call["function"] for call in turn.tool_calls])
    return worked_answer(text) if calls is None else calls.text


def _parsed(value: Any) -> Any:
    """Return a value that some files hold as a string of JSON."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise InvalidImportError(f'"tools" is not JSON: {error}') from error


def _with_system(line: Mapping[str, Any], turns: tuple[Message, ...]) -> tuple[Message, ...]:
    system = line.get("system")
    if not system:
        return turns
    return (Message(role="system", content=_text(line, "system")), *turns)


def _said(text: Any) -> Message:
    return Message(role="assistant", content=text)


def _text(line: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = line.get(key, default)
    if not isinstance(value, str):
        raise InvalidImportError(f'"{key}" is not a text: write it in quotes')
    return value


def _one_of(line: Mapping[str, Any], *keys: str) -> str | None:
    given = [key for key in keys if line.get(key) not in (None, "")]
    if len(given) > 1:
        raise InvalidImportError(f'"{given[0]}" and "{given[1]}" say the same: give one')
    return _text(line, given[0]) if given else None
