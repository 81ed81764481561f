"""Looks at a grader before anything is graded: what could never give a score is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from adaptation.errors import VerifierError
from adaptation.grading.errors import GradingError, UngradableError
from adaptation.grading.formula import Formula
from adaptation.grading.similarity import NO_METEOR
from adaptation.grading.specs import (
    InputMessage,
    LabelModel,
    Multi,
    Python,
    ScoreModel,
    StringCheck,
    TextSimilarity,
)
from adaptation.grading.templates import names_in
from adaptation.verifiers import sandbox
from adaptation.verifiers.checks import CannotCheckError, program_problem

Schema = Mapping[str, Any]


async def examine(grader: Any, param: str, item_schema: Schema | None = None) -> None:
    """Raise `UngradableError` for a grader that is wrong in itself.

    Names of `item` are held against the properties of `item_schema`, where it has any.
    """
    if isinstance(grader, Multi):
        _examine_formula(grader, param)
        for name, part in grader.graders.items():
            await examine(part, f"{param}.graders.{name}", item_schema)
    elif isinstance(grader, Python):
        await _examine_program(grader, f"{param}.source")
    else:
        _examine_metric(grader, param)
        for template, place in _templates(grader, param):
            check_names(template, place, item_schema)


def models_of(grader: Any, param: str) -> Iterator[tuple[str, str]]:
    """Yield the models that a grader asks, each with the name of its field."""
    if isinstance(grader, Multi):
        for name, part in grader.graders.items():
            yield from models_of(part, f"{param}.graders.{name}")
    elif isinstance(grader, ScoreModel | LabelModel):
        yield grader.model, f"{param}.model"


def check_names(template: str, param: str, item_schema: Schema | None) -> None:
    """Raise `UngradableError` for a name that no item has."""
    schema = item_schema or {}
    properties: Any = schema.get("properties")
    is_open = not isinstance(properties, Mapping) or bool(schema.get("additionalProperties"))
    for namespace, *path in names_in(template, param):
        if path and namespace == "item" and not is_open and path[0] not in properties:
            there = ", ".join(sorted(properties)[:10]) or "none"
            told = f"names `item.{path[0]}`, which the item schema does not have: it has {there}"
            raise UngradableError(told, param)


def _examine_formula(grader: Multi, param: str) -> None:
    place = f"{param}.calculate_output"
    try:
        names = Formula(grader.calculate_output).names
    except GradingError as error:
        raise UngradableError(f"cannot be used: {error}", place) from error
    if unknown := sorted(names - grader.graders.keys()):
        there = ", ".join(grader.graders)
        raise UngradableError(f"names {unknown[0]}, which is no grader: there are {there}", place)


def _examine_metric(grader: Any, param: str) -> None:
    if isinstance(grader, TextSimilarity) and grader.evaluation_metric == "meteor":
        raise UngradableError(NO_METEOR, f"{param}.evaluation_metric")


async def _examine_program(grader: Python, param: str) -> None:
    try:
        problem = await program_problem(grader.source)
    except CannotCheckError as error:
        raise UngradableError(f"is too much to check: {error}", param) from error
    if problem:
        raise UngradableError(problem, param)
    status = await asyncio.to_thread(sandbox.available)
    if not status.usable:
        raise VerifierError(f"Python cannot be run safely here: {status.detail}")


def _templates(grader: Any, param: str) -> Iterator[tuple[str, str]]:
    if isinstance(grader, StringCheck | TextSimilarity):
        yield grader.input, f"{param}.input"
        yield grader.reference, f"{param}.reference"
    elif isinstance(grader, ScoreModel | LabelModel):
        for place, message in enumerate(grader.input):
            yield from ((text, f"{param}.input.{place}.content") for text in texts_of(message))


def texts_of(message: InputMessage) -> Iterator[str]:
    """Yield the templates of a message."""
    content = message.content if isinstance(message.content, tuple) else (message.content,)
    for part in content:
        if isinstance(part, str):
            yield part
        else:
            yield from (text for text in (part.text, part.image_url) if text)
