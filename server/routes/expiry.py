"""OpenAI's `expires_after`: how long a file is kept."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from pydantic import Field

from memory.types import Frozen
from server.refusals.errors import ApiError

LEAST_S, MOST_S = 3_600, 30 * 86_400


class ExpiresAfter(Frozen):
    """Within an hour and thirty days."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=LEAST_S, le=MOST_S)]


def expires_at(anchor: str | None, seconds: str | None) -> float | None:
    """Return when a file goes whose form says so; raises `ApiError` (400)."""
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        name = "expires_after[anchor]"
        raise ApiError(400, f"`{name}` must be `created_at`", param=name)
    is_number = seconds is not None and seconds.isdecimal() and len(seconds) <= len(str(MOST_S))
    if not is_number or not LEAST_S <= int(seconds or 0) <= MOST_S:
        name = "expires_after[seconds]"
        words = f"`{name}` must be a whole number from {LEAST_S} to {MOST_S}"
        raise ApiError(400, words, param=name)
    return time.time() + int(seconds or 0)
