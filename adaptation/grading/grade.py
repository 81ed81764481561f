"""Grades one output by one grader.

What goes wrong is told in the grade, with a score of 0, as OpenAI does: a run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from adaptation.grading import judge, python_grader
from adaptation.grading.errors import Fault, GradingError
from adaptation.grading.formula import Formula
from adaptation.grading.outcome import Grade, Usage
from adaptation.grading.similarity import METRICS, cosine
from adaptation.grading.specs import (
    MOST_CHARS,
    LabelModel,
    Multi,
    Python,
    ScoreModel,
    StringCheck,
    TextSimilarity,
)
from adaptation.grading.templates import render
from adaptation.verifiers.string_check import OPERATIONS

MOST_COMPARED = 20_000
"""Characters of a text whose likeness is measured: the time grows with the square."""
HALF = 0.5
"""Passes where a grader names no threshold; of a range, its middle."""


@dataclass(frozen=True)
class Graded:
    """What templates may name, and who answers for models."""

    sample: Mapping[str, Any]
    item: Mapping[str, Any]
    ask: judge.Asking

    @property
    def names(self) -> Mapping[str, Any]:
        """By namespace."""
        return {"sample": self.sample, "item": self.item}


@dataclass(frozen=True)
class _Found:
    score: float
    passed: bool
    usage: Sequence[Usage] = ()
    reply: Mapping[str, Any] | None = None
    parts: Sequence[Grade] = ()


async def grade(grader: Any, graded: Graded) -> Grade:
    """Return a grader's word; a fault is in it, never raised."""
    try:
        found = await GRADERS[grader.type](grader, graded)
    except GradingError as error:
        return Grade(grader.name, grader.type, 0.0, passed=False, faults={error.fault: str(error)})
    faults = {fault: told for part in found.parts for fault, told in part.faults.items()}
    return Grade(
        grader.name,
        grader.type,
        0.0 if faults else found.score,
        passed=found.passed and not faults,
        faults=faults,
        usage=found.usage,
        reply=found.reply,
        parts=found.parts,
    )


async def _string_check(grader: StringCheck, graded: Graded) -> _Found:
    said, meant = _both(grader, graded)
    passed = OPERATIONS[grader.operation](said, meant)
    return _Found(float(passed), passed)


async def _text_similarity(grader: TextSimilarity, graded: Graded) -> _Found:
    said, meant = _both(grader, graded, MOST_COMPARED)
    if grader.evaluation_metric == "cosine":
        score = cosine(*await graded.ask.embeddings([said, meant]))
    else:
        score = await asyncio.to_thread(METRICS[grader.evaluation_metric], said, meant)
    return _Found(score, score >= _threshold(grader.pass_threshold, HALF))


async def _label_model(grader: LabelModel, graded: Graded) -> _Found:
    chosen, completion = await judge.label(grader, graded.names, graded.ask)
    passed = chosen in grader.passing_labels
    usage = (judge.usage_of(completion, grader.model),)
    return _Found(float(passed), passed, usage, {"label": chosen, "completion": completion})


async def _score_model(grader: ScoreModel, graded: Graded) -> _Found:
    score, completion = await judge.score(grader, graded.names, graded.ask)
    passed = score >= _threshold(grader.pass_threshold, sum(grader.range) / 2)
    usage = (judge.usage_of(completion, grader.model),)
    return _Found(score, passed, usage, {"completion": completion})


async def _python(grader: Python, graded: Graded) -> _Found:
    score = await python_grader.run(grader.source, graded.sample, graded.item)
    return _Found(score, score >= _threshold(grader.pass_threshold, HALF))


async def _multi(grader: Multi, graded: Graded) -> _Found:
    parts = [await grade(part, graded) for part in grader.graders.values()]
    usage = [each for part in parts for each in part.usage]
    if any(part.faults for part in parts):
        return _Found(0.0, passed=False, usage=usage, parts=parts)
    scores = {name: part.score for name, part in zip(grader.graders, parts, strict=True)}
    score = Formula(grader.calculate_output)(scores)
    return _Found(score, score >= _threshold(grader.pass_threshold, HALF), usage, parts=parts)


def _both(
    grader: StringCheck | TextSimilarity, graded: Graded, most: int = MOST_CHARS
) -> tuple[str, str]:
    texts = render(grader.input, graded.names), render(grader.reference, graded.names)
    if any(len(text) > most for text in texts):
        raise GradingError(Fault.OTHER, f"a text to compare is longer than {most} characters")
    return texts


def _threshold(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given


GRADERS: Mapping[str, Callable[[Any, Graded], Awaitable[_Found]]] = MappingProxyType(
    {
        "string_check": _string_check,
        "text_similarity": _text_similarity,
        "label_model": _label_model,
        "score_model": _score_model,
        "python": _python,
        "multi": _multi,
    }
)
