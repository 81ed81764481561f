"""What a right answer more costs, by the prices of tokens."""

from __future__ import annotations

from typing import Any

import pytest

from adaptation.prices import Prices, accounts
from memory.history.ledger import Seen

VOTE = Seen(asked=10, judged=10, right=4, tokens=4_000, seconds=20.0)
TTT = Seen(
    asked=10, judged=10, right=8, helped=5, hurt=1, tied=4,
    tokens=6_000, trained_tokens=80_000, seconds=60.0,
)  # fmt: skip
SHOWN = Seen(asked=4, judged=4, right=3, helped=1, tied=3, tokens=2_000, seconds=8.0)


def rows(seen: dict[str, Seen], prices: Prices) -> dict[str, dict[str, Any]]:
    return {row["strategy"]: row for row in accounts(seen, prices)}


def test_a_right_answer_more_costs_what_the_strategy_takes_beyond_the_vote() -> None:
    """200 tokens generated more and 8,000 trained on, for 4 right answers more of 10."""
    found = rows({"ttt": TTT, "consistency": VOTE}, Prices(generated=2.0, trained=0.5))
    more = found["ttt"]["per_additional_right"]
    assert more["tokens"] == pytest.approx(200 / 0.4)
    assert more["trained_tokens"] == pytest.approx(8_000 / 0.4)
    assert more["seconds"] == pytest.approx(4 / 0.4)
    assert more["price"] == pytest.approx((200 * 2.0 + 8_000 * 0.5) / 1e6 / 0.4)


def test_tokens_that_are_trained_on_have_a_price_of_their_own() -> None:
    """Where it is missing, only what trains has no price."""
    seen = {"ttt": TTT, "demonstrations": SHOWN, "consistency": VOTE}
    found = rows(seen, Prices(generated=2.0))
    assert found["ttt"]["per_additional_right"]["price"] is None
    assert found["ttt"]["per_additional_right"]["tokens"] is not None
    assert found["demonstrations"]["per_additional_right"]["price"] == pytest.approx(
        100 * 2.0 / 1e6 / 0.25
    )
    unpriced = rows(seen, Prices(trained=2.0))
    assert unpriced["ttt"]["per_additional_right"]["price"] is None


def test_what_gains_nothing_or_stands_beside_no_vote_has_no_price() -> None:
    prices = Prices(generated=2.0, trained=0.5)
    assert rows({"ttt": TTT}, prices)["ttt"]["per_additional_right"]["price"] is None
    hurts = Seen(asked=4, judged=4, helped=1, hurt=2, tied=1, tokens=2_000)
    found = rows({"refine": hurts, "consistency": VOTE}, prices)
    assert found["refine"]["per_additional_right"]["price"] is None
    assert found["consistency"]["per_additional_right"]["price"] is None
