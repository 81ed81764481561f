"""What requests of late came to, for a while: notes on tries that failed, by tenant and task.

Bounded in number and in time.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachetools import TTLCache

MOST_TASKS, MOST_NOTES = 1_000, 3
LASTS_S = 3_600.0


class ShortTermMemory:
    """Notes that requests leave for those of the same task that follow."""

    def __init__(self) -> None:
        self._notes: TTLCache[tuple[str, str], tuple[str, ...]] = TTLCache(MOST_TASKS, LASTS_S)

    def notes(self, tenant: str, task: str | None) -> tuple[str, ...]:
        """Return the latest notes of a task; a request without a task has none."""
        return self._notes.get((tenant, task), ()) if task else ()

    def note(self, tenant: str, task: str | None, notes: Sequence[str]) -> None:
        """Add `notes` to those of a task, of which the last are kept."""
        if task and notes:
            known = self.notes(tenant, task)
            self._notes[tenant, task] = (*known, *notes)[-MOST_NOTES:]
