"""From how hard an app asks the model to think to a strategy and its samples.

For apps that know nothing of Whet: `reasoning_effort` of a chat, `reasoning.effort` of a response.
What a request says of adaptation itself comes first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from adaptation.options import Strategy

DEFAULT = "none=plain,minimal=plain,low=consistency/4,high=auto/32,xhigh=auto/64,max=auto/64"
"""What is not named, `medium`, is answered as the server answers everything."""
_ENTRY = re.compile(r"\s*([a-z]+)\s*=\s*([a-z_]+)(?:\s*/\s*(\d{1,2}))?\s*")


@dataclass(frozen=True)
class Effort:
    """What an effort stands for."""

    name: str
    strategy: Strategy
    max_samples: int | None = None
    """None: as many as the server allows a request that names none."""


@lru_cache(maxsize=8)
def efforts(text: str) -> Mapping[str, Effort]:
    """Read `NAME=STRATEGY[/SAMPLES],…`; raises `ValueError`. Every request asks: read once."""
    found = [_effort(entry) for entry in text.split(",") if entry.strip()]
    return MappingProxyType({effort.name: effort for effort in found})


def effort_of(body: Mapping[str, Any], known: Mapping[str, Effort]) -> Effort | None:
    """Return what a request's effort stands for, None where it names none that is known."""
    reasoning = body.get("reasoning")
    of_response = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    named = body.get("reasoning_effort") or of_response
    return known.get(named) if isinstance(named, str) else None


def _effort(entry: str) -> Effort:
    parts = _ENTRY.fullmatch(entry)
    if parts is None or parts[2] not in set(Strategy):
        strategies = ", ".join(Strategy)
        raise ValueError(
            f"`{entry.strip()}` is no effort: write NAME=STRATEGY or NAME=STRATEGY/SAMPLES, "
            f"with one of {strategies}"
        )
    samples = int(parts[3]) if parts[3] else None
    if samples is not None and not 1 <= samples <= 64:
        raise ValueError(f"`{entry.strip()}`: samples must be from 1 to 64")
    return Effort(parts[1], Strategy(parts[2]), samples)
