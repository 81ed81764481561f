"""OpenAI's list shape, and the identifiers a path may carry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path

OPAQUE_ID = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"
"""Never a path: no slash, no leading dot."""

Id = Annotated[str, Path(pattern=OPAQUE_ID)]


def list_object(data: Sequence[dict[str, Any]], has_more: bool = False) -> dict[str, Any]:
    """Return one page as OpenAI shapes it."""
    return {
        "object": "list",
        "data": list(data),
        "has_more": has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }
