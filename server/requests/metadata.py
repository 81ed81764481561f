"""A client's own notes, `metadata`, within OpenAI's bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

MOST, MOST_KEY, MOST_VALUE = 16, 64, 512
"""Pairs, and characters of each."""
Metadata = Annotated[
    dict[
        Annotated[str, Field(max_length=MOST_KEY)],
        Annotated[str, Field(max_length=MOST_VALUE)],
    ],
    Field(max_length=MOST),
]
