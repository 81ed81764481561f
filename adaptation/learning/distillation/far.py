"""Far guards whose replies have a form: JSON that keeps a schema, calls of tools, and refusals to
answer what cannot be known.

Drawn once for all from their generators, with a seed that nothing else uses. A model whose template
shows no tools calls none; that family then has no guards, and the report says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

from jsonschema import Draft202012Validator

from adaptation.conversation import Conversation, spoken
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.refusal import refuses
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.learning.distillation.guards import PROBES, Probe
from memory.identity.answers.json_value import extract_json
from memory.identity.answers.options import AnswerOptions
from memory.lines.calls import calls_in
from memory.types import Message

PER_FAMILY = 8
SEED = 417
JSON, TOOLS, REFUSALS = "JSON", "tools", "refusals"
TYPES = {str: "string", int: "integer"}


@dataclass(frozen=True)
class SchemaProbe:
    """A question that a JSON object answers which keeps a schema."""

    question: str
    schema: Mapping[str, Any] = field(compare=False)
    family: str = JSON
    is_taught: ClassVar[bool] = False

    @property
    def conversation(self) -> Conversation:
        """As it is asked."""
        return spoken(Message(role="user", content=self.question))

    def right(self, reply: str) -> bool:
        """Whether the reply holds JSON that the schema allows."""
        found = extract_json(reply, AnswerOptions(kind="json"))
        value = _value(found.text) if found is not None else None
        return bool(Draft202012Validator(self.schema).is_valid(value))


@dataclass(frozen=True)
class ToolProbe:
    """A request that one of the tools serves which come with it."""

    question: str
    tools: tuple[Mapping[str, Any], ...] = field(compare=False)
    name: str
    family: str = TOOLS
    is_taught: ClassVar[bool] = False

    @property
    def conversation(self) -> Conversation:
        """As it is asked."""
        asked = Message(role="user", content=self.question)
        return Conversation(messages=(asked,), request={"tools": [dict(t) for t in self.tools]})

    def right(self, reply: str) -> bool:
        """Whether the reply is a call that can be read, of the right tool alone."""
        return _called(reply) == self.name


@dataclass(frozen=True)
class RefusalProbe:
    """A question that cannot be answered, as a fact that it needs is not known or not said."""

    question: str
    family: str = REFUSALS
    is_taught: ClassVar[bool] = False

    @property
    def conversation(self) -> Conversation:
        """As it is asked."""
        return spoken(Message(role="user", content=self.question))

    def right(self, reply: str) -> bool:
        """Whether the reply says so, and gives no answer all the same."""
        return refuses(reply)


@lru_cache(maxsize=1)
def far_probes() -> tuple[Probe | SchemaProbe | ToolProbe | RefusalProbe, ...]:
    """Return all far guards."""
    objects = (SchemaProbe(each.question, _schema(each)) for each in _drawn("json_objects"))
    calls = (
        ToolProbe(each.question, each.tools, _called(each.answer) or "")
        for each in _drawn("tool_calls")
    )
    refusals = (RefusalProbe(each.question) for each in _drawn("refusal"))
    return (*PROBES, *objects, *calls, *refusals)


def _drawn(suite: str) -> list[Solved]:
    found, level = SUITES[suite], SUITES[suite].default_level
    return found.problems(PER_FAMILY, split=Split.DEVELOPMENT, seed=SEED, level=level)


def _schema(solved: Solved) -> Mapping[str, Any]:
    """Return what the answer's object is held to: its keys, their types, nothing more."""
    value = json.loads(solved.answer)
    return {
        "type": "object",
        "properties": {key: {"type": TYPES[type(each)]} for key, each in value.items()},
        "required": list(value),
        "additionalProperties": False,
    }


def _called(reply: str) -> str | None:
    """Return the name of the tool that a reply calls; None for none, or several."""
    found = calls_in(reply)
    call = _value(found.key) if found is not None else None
    return str(call["name"]) if isinstance(call, dict) else None


def _value(text: str) -> Any:
    """Return what JSON says; None where it nests too deeply or counts too far."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
