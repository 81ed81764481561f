"""What a reply says, told apart from what it thinks and from the tools it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """A reply as the engine's parsers read it."""

    text: str
    """What the user is told; empty where the reply only thinks, or only calls."""
    calls: tuple[Mapping[str, Any], ...] = ()
    """The tools called, in order: `{"name": …, "arguments": …}`, arguments as JSON."""
