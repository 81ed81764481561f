"""What a verifier is, and how its specification is read."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from adaptation.errors import InvalidOptionsError
from adaptation.report import VerifierReport
from memory.types import Frozen, Tier

S = TypeVar("S", bound=Frozen)


class Verifier(Protocol):
    """Judges one answer by one external signal."""

    type: str
    tier: Tier | None
    """What passing is worth; None where it says nothing about truth."""
    runs_programs: bool
    """Whether it runs programs, for which there are few places (`Gradings`)."""

    async def verify(self, *, question: str, text: str, answer: str | None) -> VerifierReport:
        """Judge `text`, out of which `answer` was read.

        Raises VerifierError if the verifier cannot run, which says nothing about the answer.
        """
        ...


def read_spec(model: type[S], spec: dict[str, Any], param: str) -> S:
    """Validate `spec`; raises InvalidOptionsError of `param`, whose cause names the key in it."""
    try:
        return model.model_validate(spec)
    except ValidationError as error:
        raise InvalidOptionsError(f"{param} is no {spec['type']} verifier", param) from error
