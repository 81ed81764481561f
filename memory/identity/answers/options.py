"""How an answer is to be read out of a reply: what kind it is of."""

from __future__ import annotations

from typing import Literal

import regex  # type: ignore[import-untyped, unused-ignore]
from pydantic import Field, field_validator, model_validator

from memory.types import Frozen

AnswerKind = Literal["auto", "math", "choice", "json", "text", "tool", "regex"]


class AnswerOptions(Frozen):
    """How the answer is read out of a sample."""

    kind: AnswerKind = "auto"
    """how the answer is read out of a sample"""
    pattern: str | None = Field(default=None, max_length=1000)
    """for kind `regex`: the first group of the last match is the answer, or all of the match"""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                regex.compile(pattern)
            except (regex.error, RecursionError, OverflowError) as error:
                raise ValueError(f"the regular expression does not compile: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _regex_has_a_pattern(self) -> AnswerOptions:
        if (self.kind == "regex") != (self.pattern is not None):
            raise ValueError("`pattern` goes with kind `regex`, and kind `regex` needs one")
        return self
