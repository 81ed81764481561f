"""What is worked on while everybody waits, and so may not be large.

vLLM compiles forms of the output and splits forbidden words into tokens on the event loop, again
for every sample of a vote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from server.errors import ApiError

FORM = 32_768
"""Characters as JSON: some fifty milliseconds of a schema that is nothing but properties."""
MOST: Mapping[str, int] = MappingProxyType(
    {"structured_outputs": FORM, "response_format": FORM, "bad_words": 4_096, "model": 1_024}
)
"""By key, the most characters."""


def refuse_heavy(body: Mapping[str, Any]) -> None:
    """Refuse what would take long to compile; raises `ApiError` (400)."""
    for param, most in MOST.items():
        _refuse_longer(param, body.get(param), most)
    text = body.get("text")  # a form on /v1/responses
    if isinstance(text, dict):
        _refuse_longer("text.format", text.get("format"), FORM)


def _refuse_longer(param: str, value: object, most: int) -> None:
    if isinstance(value, str | list | dict) and len(json.dumps(value, ensure_ascii=False)) > most:
        message = f"`{param}` has more than {most} characters; send less"
        raise ApiError(400, message, param=param)
