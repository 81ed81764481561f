"""What strategies were worth, as people read it: with intervals, and what an answer more costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from adaptation.options import Strategy
from adaptation.statistics import score_difference, wilson, without_nan
from memory.history.ledger import Seen
from memory.types import Frozen

MILLION = 1_000_000


class Prices(Frozen):
    """Prices of a million tokens, in any currency; None: not known."""

    generated: float | None = None
    trained: float | None = None


def accounts(seen: Mapping[str, Seen], prices: Prices) -> list[dict[str, Any]]:
    """Return a row for each strategy that was used, in the order of their names in the contract.

    A right answer more than the vote gives costs what the strategy takes beyond the vote, divided
    by the share of answers that it gains; null where it gains none, or too little is known.
    """
    vote = seen.get(Strategy.CONSISTENCY, Seen())
    rows = (_account(name, seen[name], vote, prices) for name in Strategy if name in seen)
    return [without_nan(row) for row in rows]


def _account(name: str, seen: Seen, vote: Seen, prices: Prices) -> dict[str, Any]:
    gain = score_difference(seen.helped, seen.hurt, seen.paired)
    more = {
        key: _mean(seen, key) - (_mean(vote, key) if vote.asked else math.nan)
        for key in ("tokens", "trained_tokens", "seconds")
    }
    worth = gain.value if gain.value > 0 else math.nan
    return {
        "strategy": str(name),
        "asked": seen.asked,
        "judged": seen.judged,
        "right": asdict(wilson(seen.right, seen.judged)) if seen.judged else None,
        "helped": seen.helped,
        "hurt": seen.hurt,
        "tied": seen.tied,
        "gain": asdict(gain) if seen.paired else None,
        "tokens": _mean(seen, "tokens"),
        "trained_tokens": _mean(seen, "trained_tokens"),
        "seconds": _mean(seen, "seconds"),
        "per_additional_right": {
            **{key: value / worth for key, value in more.items()},
            "price": _price(more, prices) / worth,
        },
    }


def _mean(seen: Seen, key: str) -> float:
    return float(getattr(seen, key)) / seen.asked if seen.asked else math.nan


def _price(more: Mapping[str, float], prices: Prices) -> float:
    """Return what the tokens cost; not known where a price is missing that is needed."""
    trained = 0.0 if not more["trained_tokens"] else prices.trained
    if prices.generated is None or trained is None:
        return math.nan
    return (more["tokens"] * prices.generated + more["trained_tokens"] * trained) / MILLION
