"""One item of a run: it is held against the schema, answered, and graded by every criterion."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from adaptation.grading.grade import Graded, grade
from adaptation.grading.outcome import Grade, Usage
from adaptation.verifiers.checks import CannotCheckError, mismatch
from memory.offline.evaluation import ModelUsage, NewOutput
from server.evals.asking import Door
from server.evals.items import text_of
from server.evals.sampling import Sampled, given, sampled
from server.evals.specs import Item, Jsonl


async def output_of(
    line: int,
    item: Item,
    source: Any,
    criteria: Sequence[Any],
    schema: Mapping[str, Any] | None,
    door: Door,
) -> NewOutput:
    """Return what came of an item; what went wrong with it is told in it."""
    if schema is not None and (fault := await _misfit(item, schema)):
        return ungraded(line, item, "invalid_item", f"the item does not fit its schema: {fault}")
    is_known = isinstance(source, Jsonl) or source.model is None
    sample = given(item.sample) if is_known else await sampled(source, item.item, door)
    if sample.is_error:
        return _output(line, item, sample, [])
    graded = Graded(sample.names, item.item, door)
    return _output(line, item, sample, [await grade(each, graded) for each in criteria])


def ungraded(line: int, item: Item, code: str, message: str) -> NewOutput:
    """Return what is told of an item that nothing came of."""
    shown = given(None).shown | {"error": {"code": code, "message": message}}
    return _output(line, item, Sampled({}, shown, is_error=True), [])


async def _misfit(item: Item, schema: Mapping[str, Any]) -> str | None:
    try:
        return await mismatch(text_of(item), json.dumps(schema))
    except CannotCheckError as error:
        return str(error)


def _output(line: int, item: Item, sample: Sampled, grades: Sequence[Grade]) -> NewOutput:
    is_error = sample.is_error or any(each.faults for each in grades)
    has_passed = all(each.passed for each in grades)
    return NewOutput(
        line=line,
        status="error" if is_error else "pass" if has_passed else "fail",
        content={
            "datasource_item": item.item,
            "results": [result_object(each) for each in grades],
            "sample": sample.shown,
        },
        met={each.name: each.passed for each in grades},
        usage=_together([*sample.usage, *(use for each in grades for use in each.usage)]),
    )


def result_object(found: Grade) -> dict[str, Any]:
    """Return a grade as OpenAI shows it."""
    faults = {"errors": {fault.value: told for fault, told in found.faults.items()}}
    parts = {"parts": {each.name: each.score for each in found.parts}}
    sample = {
        **(found.reply or {}),
        **(parts if found.parts else {}),
        **(faults if found.faults else {}),
    }
    return {
        "name": found.name,
        "type": found.type,
        "score": found.score,
        "passed": found.passed,
        "sample": sample or None,
    }


def _together(usage: Sequence[Usage]) -> dict[str, ModelUsage]:
    found: dict[str, ModelUsage] = {}
    for each in usage:
        one = ModelUsage(
            invocation_count=1,
            prompt_tokens=each.prompt_tokens,
            completion_tokens=each.completion_tokens,
            cached_tokens=each.cached_tokens,
        )
        found[each.model] = found.get(each.model, ModelUsage()).plus(one)
    return found
