"""OpenAI's `string_check` grader: compares the answer with a reference, letter by letter.

https://platform.openai.com/docs/api-reference/graders/string-check
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from adaptation.report import VerifierReport
from adaptation.verifiers.base import read_spec
from memory.identity.answers.deliberation import conclusion
from memory.types import Frozen, Tier

OPERATIONS: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {
        "eq": lambda value, reference: value == reference,
        "ne": lambda value, reference: value != reference,
        "like": lambda value, reference: reference in value,
        "ilike": lambda value, reference: reference.casefold() in value.casefold(),
    }
)


class StringCheckSpec(Frozen):
    """The wire form."""

    type: Literal["string_check"]
    operation: Literal["eq", "ne", "like", "ilike"]
    """`like` and `ilike`: the reference occurs in the answer, with or without regard to case."""
    reference: str = Field(max_length=100_000)
    name: str | None = None
    """OpenAI's label for the grader; not used."""


class StringCheck:
    """Compares the extracted answer, or the whole text where none was found."""

    type = "string_check"
    runs_programs = False

    def __init__(self, spec: StringCheckSpec) -> None:
        self._spec = spec
        self.tier = Tier.FEEDBACK if spec.operation == "eq" else None
        """The reference is the caller's word, like feedback; being unequal to something, or
        containing it, proves nothing."""

    async def verify(self, *, question: str, text: str, answer: str | None) -> VerifierReport:
        """Compare, without the white space around either."""
        del question
        value, reference = (
            (conclusion(text) if answer is None else answer).strip(),
            self._spec.reference,
        )
        passed = OPERATIONS[self._spec.operation](value, reference.strip())
        detail = f"{self._spec.operation} {'holds' if passed else 'does not hold'}"
        return VerifierReport(type=self.type, passed=passed, detail=detail)


async def build_string_check(spec: dict[str, Any], param: str) -> StringCheck:
    """Raises InvalidOptionsError."""
    return StringCheck(read_spec(StringCheckSpec, spec, param))
