"""Validates a JSON answer against a schema. A shape is no truth, so passing earns no tier.

Schemas are the caller's and must not reach out or hang: their size is bounded, and all that
evaluates them happens in `checks`.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from adaptation.errors import InvalidOptionsError
from adaptation.report import VerifierReport
from adaptation.verifiers.base import read_spec
from adaptation.verifiers.checks import CannotCheckError, mismatch, schema_problem
from memory.identity.answers import extract
from memory.identity.answers.options import AnswerOptions
from memory.types import Frozen, Tier

MAX_CHARACTERS = 65_536
"""Most characters of a schema as JSON."""
_JSON = AnswerOptions(kind="json")


class JsonSchemaSpec(Frozen):
    """The wire form."""

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")
    """Any draft jsonschema knows; without `$schema` the newest."""


class JsonSchemaCheck:
    """Passes texts whose JSON has the shape."""

    type = "json_schema"
    tier: Tier | None = None
    runs_programs = False

    def __init__(self, schema: str) -> None:
        self._schema = schema

    async def verify(self, *, question: str, text: str, answer: str | None) -> VerifierReport:
        """Read the JSON out of `text` and validate it."""
        del question, answer
        problem = await self._problem(text)
        detail = problem or "matches the schema"
        return VerifierReport(type=self.type, passed=problem is None, detail=detail)

    async def _problem(self, text: str) -> str | None:
        found = extract(text, _JSON)
        if found is None:
            return "no JSON was found"
        try:
            return await mismatch(found.text, self._schema)
        except CannotCheckError as error:
            return f"cannot be checked: {error}"


async def build_json_schema(spec: dict[str, Any], param: str) -> JsonSchemaCheck:
    """Raises InvalidOptionsError, also for schemas that are none."""
    schema = json.dumps(read_spec(JsonSchemaSpec, spec, param).schema_)
    path = f"{param}.schema"
    if len(schema) > MAX_CHARACTERS:
        raise InvalidOptionsError(f"{path} is longer than {MAX_CHARACTERS} characters", path)
    try:
        problem = await schema_problem(schema)
    except CannotCheckError as error:
        raise InvalidOptionsError(f"{path} is too much to check: {error}", path) from error
    if problem:
        raise InvalidOptionsError(f"{path} is no JSON schema: {problem}", path)
    return JsonSchemaCheck(schema)
