"""Validates a JSON answer against a schema. A shape is no truth, so passing earns no tier.

Schemas are the caller's and must not reach out or hang: references resolve within the schema and
the published drafts only (jsonschema would fetch others over the network), and patterns run under
a time limit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

import jsonschema
import regex  # type: ignore[import-untyped, unused-ignore]
from jsonschema.validators import extend, validator_for
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped, unused-ignore]
from pydantic import Field
from referencing.exceptions import Unresolvable

from adaptation.answers import extract
from adaptation.errors import InvalidOptionsError
from adaptation.options import AnswerOptions
from adaptation.types import VerifierReport
from adaptation.verifiers.base import read_spec
from memory.types import Frozen, Tier

PATTERN_TIMEOUT_S = 0.2
_JSON = AnswerOptions(kind="json")


class JsonSchemaSpec(Frozen):
    """The wire form."""

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")
    """Any draft jsonschema knows; without `$schema` the newest. No `patternProperties`."""


class JsonSchemaCheck:
    """Passes texts whose JSON has the shape."""

    type = "json_schema"
    tier: Tier | None = None

    def __init__(self, spec: JsonSchemaSpec) -> None:
        kind = validator_for(spec.schema_, default=jsonschema.Draft202012Validator)
        self._validator = extend(kind, {"pattern": _pattern})(spec.schema_, registry=REGISTRY)

    async def verify(self, *, question: str, text: str, answer: str | None) -> VerifierReport:
        """Read the JSON out of `text` and validate it, off the event loop."""
        del question, answer
        problem = await asyncio.to_thread(self._problem, text)
        detail = problem or "matches the schema"
        return VerifierReport(type=self.type, passed=problem is None, detail=detail)

    def _problem(self, text: str) -> str | None:
        found = extract(text, _JSON)
        if found is None:
            return "no JSON was found"
        try:
            error = next(self._validator.iter_errors(json.loads(found.text)), None)
        except (ValueError, RecursionError, TimeoutError, Unresolvable) as problem:
            return f"cannot be checked: {type(problem).__name__}: {str(problem)[:200]}"
        return None if error is None else f"{error.json_path}: {error.message[:300]}"


def build_json_schema(spec: dict[str, Any], param: str) -> JsonSchemaCheck:
    """Raises InvalidOptionsError, also for schemas that are none."""
    read = read_spec(JsonSchemaSpec, spec, param)
    path = f"{param}.schema"
    try:
        validator_for(read.schema_, default=jsonschema.Draft202012Validator).check_schema(
            read.schema_
        )
        for key, value in _members(read.schema_):
            if key == "patternProperties":
                raise InvalidOptionsError(f"{path}: patternProperties is not supported", path)
            if key == "pattern" and isinstance(value, str):
                regex.compile(value)
    except (jsonschema.SchemaError, regex.error, RecursionError) as error:
        raise InvalidOptionsError(f"{path} is no JSON schema: {str(error)[:300]}", path) from error
    return JsonSchemaCheck(read)


def _pattern(
    validator: Any, pattern: str, instance: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    """The keyword `pattern`, interruptible."""
    del validator, schema
    if isinstance(instance, str) and not regex.search(pattern, instance, timeout=PATTERN_TIMEOUT_S):
        yield jsonschema.ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    children = value.values() if isinstance(value, dict) else value
    for child in children if isinstance(value, dict | list) else ():
        yield from _members(child)
