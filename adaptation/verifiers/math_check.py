"""Compares the answer with a reference by mathematical value: `1/2` passes for `0.5`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from adaptation.types import VerifierReport
from adaptation.verifiers.base import read_spec
from memory.identity.answers import extract, same_answer
from memory.identity.answers.options import AnswerOptions
from memory.types import Frozen, Tier

_MATH = AnswerOptions(kind="math")


class MathSpec(Frozen):
    """The wire form."""

    type: Literal["math"]
    reference: str = Field(min_length=1, max_length=500)


class MathCheck:
    """Passes answers equal to the reference, units included where both have one."""

    type = "math"
    tier: Tier | None = Tier.FEEDBACK
    """The reference is the caller's word, like feedback."""

    def __init__(self, spec: MathSpec) -> None:
        self._reference = spec.reference

    async def verify(self, *, question: str, text: str, answer: str | None) -> VerifierReport:
        """Compare what was extracted; failing that, what kind `math` reads in the text."""
        del question
        found = extract(text, _MATH)
        candidates = [answer] if answer is not None else []
        candidates += [found.text] if found is not None and answer in (None, text.strip()) else []
        passed = any(same_answer(candidate, self._reference) for candidate in candidates)
        detail = "equals the reference" if passed else "differs from the reference"
        return VerifierReport(
            type=self.type, passed=passed, detail=detail if candidates else "no answer was found"
        )


async def build_math(spec: dict[str, Any], param: str) -> MathCheck:
    """Raises InvalidOptionsError."""
    return MathCheck(read_spec(MathSpec, spec, param))
