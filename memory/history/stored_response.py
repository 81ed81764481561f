"""One stored response, apart from where it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memory.history.items import Item
from memory.types import Frozen

AT_WORK = ("queued", "in_progress")
"""What the status says of a response that is being made."""
SAID = ("completed", "incomplete")
"""States of a response that has ended and says something."""


class StoredResponse(Frozen):
    """A response as it is kept; times are Unix seconds."""

    id: str
    tenant: str
    status: str
    body: Mapping[str, Any]
    """As its client reads it."""
    previous_id: str | None = None
    """The response that it goes on from."""
    conversation_id: str | None = None
    """Where it was said."""
    held_until: float = 0.0
    """Until when one that is being made is believed to be."""

    @property
    def is_at_work(self) -> bool:
        """Whether it is being made."""
        return self.status in AT_WORK

    def is_lost(self, now: float) -> bool:
        """Whether nobody makes it any more, though it has not ended."""
        return self.is_at_work and self.held_until <= now


@dataclass(frozen=True)
class Written:
    """A response that is to be stored, with what was asked and what it says."""

    response: StoredResponse
    asked: tuple[Item, ...] = ()
    said: tuple[Item, ...] = ()
    is_kept: bool = True
    """Or only its conversation takes it in."""
