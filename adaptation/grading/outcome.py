"""What came of grading, and what is graded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from adaptation.grading.errors import Fault


@dataclass(frozen=True)
class Usage:
    """What one request to a model took."""

    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Read and written."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class Grade:
    """One grader's word on one output."""

    name: str
    type: str
    score: float
    """0 where there is none."""
    passed: bool
    faults: Mapping[Fault, str] = field(default_factory=dict)
    """Why there is no score, each with what is to be read."""
    usage: Sequence[Usage] = ()
    reply: Mapping[str, Any] | None = None
    """What a model that grades said."""
    parts: Sequence[Grade] = ()
    """Grades by the parts of a multi grader."""


def sample_of(text: str, **more: Any) -> dict[str, Any]:
    """Return what templates call `sample`, of a model's output; `output_json` where it is JSON."""
    found: dict[str, Any] = {"output_text": text, "output_tools": []}
    with suppress(ValueError, RecursionError):
        found["output_json"] = json.loads(text)
    message = {"role": "assistant", "content": text}
    found["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return found | more
