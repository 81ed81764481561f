"""Whether a version may be served to everybody, by what was found of it when it was made.

A distilled one was judged by the gate. A fine-tuned one is what its tenant asked for, whatever it
lost: as a model of its own it is served all the same, in the place of others only if that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memory.errors import ConflictError
from memory.types import AdapterVersion

FINE_TUNED = "fine-tuned"
"""In place of a gate's decision: nothing that was not promoted takes a champion's place."""
OBJECTIONS = "objections"
"""What guards say against a fine-tuned version, among its metrics; absent where none was asked."""


def objection_in(metrics: Mapping[str, Any]) -> str | None:
    """Return what speaks against a version, by its metrics; None: nothing."""
    if metrics.get("decision") != FINE_TUNED:
        return None
    found = metrics.get(OBJECTIONS)
    if found is None:
        return "nobody asked what it lost, as of no checkpoint before the last is asked"
    return "; ".join(found) or None


def refuse_lost(version: AdapterVersion) -> None:
    """Raise `ConflictError` for a version that guards object to."""
    if (found := objection_in(version.metrics)) is not None:
        way = "`--anyway`, or `anyway` over HTTP, serves it to everybody all the same"
        raise ConflictError(f"{version.id} is not served to everybody: {found}; {way}")
