"""Compares the answer with a reference by mathematical value: `1/2` passes for `0.5`.

What is equal to the reference is what a vote would count with it: one key, or one formula.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

from pydantic import Field

from adaptation.report import VerifierReport
from adaptation.verifiers.base import read_spec
from adaptation.workers.algebra import Algebra
from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerOptions
from memory.types import Frozen, Tier

_MATH = AnswerOptions(kind="math")


@functools.cache
def _algebra() -> Algebra:
    return Algebra(processes=1)


class MathSpec(Frozen):
    """The wire form."""

    type: Literal["math"]
    reference: str = Field(min_length=1, max_length=500)


class MathCheck:
    """Passes answers equal to the reference, units included where both have one."""

    type = "math"
    tier: Tier | None = Tier.FEEDBACK
    """The reference is the caller's word, like feedback."""
    runs_programs = False

    def __init__(self, spec: MathSpec) -> None:
        self._reference = spec.reference
        self._key = canonical(spec.reference)

    async def verify(self, *, question: str, text: str, answer: str | None) -> VerifierReport:
        """Compare the answer; of a text without one, what kind `math` reads in it."""
        del question
        if answer is None or answer == text.strip():
            found = extract(text, _MATH)
            answer = found.text if found else answer
        if answer is None:
            return VerifierReport(type=self.type, passed=False, detail="no answer was found")
        passed = await self._equals(answer)
        detail = "equals the reference" if passed else "differs from the reference"
        return VerifierReport(type=self.type, passed=passed, detail=detail)

    async def _equals(self, answer: str) -> bool:
        if agree(canonical(answer), self._key):
            return True
        return await _algebra().find(answer, [self._reference]) is not None


async def build_math(spec: dict[str, Any], param: str) -> MathCheck:
    """Raises InvalidOptionsError."""
    return MathCheck(read_spec(MathSpec, spec, param))
