"""The processes of `checks`: `python -m adaptation.verifiers.check_process`.

Reads lines of JSON, a time limit in seconds, a question and its arguments, and replies with what is
wrong, or null.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped, unused-ignore]
from referencing.exceptions import Unresolvable

from adaptation.workers.worker_loop import read_line, serve, time_limit

SHOWN = 300
"""Characters of a reason."""


def main() -> None:
    """Check until stdin ends."""
    serve(read_line, _reply)


def _reply(question: tuple[float, str, *tuple[str, ...]]) -> str | None:
    seconds, name, *arguments = question
    with time_limit(seconds):
        return QUESTIONS[name](*arguments)


def tests_problem(tests: str) -> str | None:
    """Return why the tests cannot be run, or cannot fail."""
    try:
        nodes = ast.walk(ast.parse(tests))
        asserts = any(isinstance(node, ast.Assert) for node in nodes)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"do not compile: {error}"[:SHOWN]
    return None if asserts else "assert nothing"


def program_problem(program: str) -> str | None:
    """Return why a program cannot be run as a grader."""
    try:
        body = ast.parse(program).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"does not compile: {error}"[:SHOWN]
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    names = {node.name for node in functions} | {
        target.id
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return None if "grade" in names else "defines no function `grade(sample, item)`"


def schema_problem(schema: str) -> str | None:
    """Return why it is no JSON schema."""
    try:
        read = json.loads(schema)
        if not isinstance(read.get("$schema", ""), str):
            return "$['$schema'] must be a string"
        _kind(read).check_schema(read)
        for pattern in _patterns(read):
            re.compile(pattern)
    except jsonschema.SchemaError as error:
        return f"{error.json_path}: {error.message}"[:SHOWN]
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)[:SHOWN]
    return None


def mismatch(document: str, schema: str) -> str | None:
    """Return where the document departs from the schema.

    References resolve within the schema and the published drafts only: jsonschema would fetch
    others over the network.
    """
    try:
        read = json.loads(schema)
        errors = _kind(read)(read, registry=REGISTRY).iter_errors(json.loads(document))
        error = next(errors, None)
    except (ValueError, RecursionError, Unresolvable) as problem:
        return f"cannot be checked: {type(problem).__name__}: {str(problem)[:SHOWN]}"
    return None if error is None else f"{error.json_path}: {error.message[:SHOWN]}"


def _kind(schema: Any) -> Any:
    return validator_for(schema, default=jsonschema.Draft202012Validator)


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        if isinstance(value.get("patternProperties"), dict):
            yield from value["patternProperties"]
    children = value.values() if isinstance(value, dict) else value
    for child in children if isinstance(value, dict | list) else ():
        yield from _patterns(child)


QUESTIONS: Mapping[str, Callable[..., str | None]] = {
    "tests": tests_problem,
    "program": program_problem,
    "schema": schema_problem,
    "mismatch": mismatch,
}

if __name__ == "__main__":
    main()
