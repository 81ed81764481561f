"""The engine's stand-in, on which the front's own cost is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtests.scale import front
from loadtests.scale.front import KINDS, PROSE_TOKENS, Cost
from loadtests.scale.stand_in import standing_in

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


async def test_the_stand_in_is_voted_on_as_an_engine_is(tmp_path: Path) -> None:
    told = tmp_path / "seconds"
    async with standing_in(tmp_path, told, "hashing", PROSE_TOKENS) as server:
        numbers = await server.chat(**KINDS["numbers"])
        prose = await server.chat(**KINDS["prose"])
    assert numbers["adaptation"]["answer"] == "14"
    assert 8 <= numbers["adaptation"]["samples"]["finished"] <= 16
    assert len({choice["message"]["content"] for choice in prose["choices"]}) == 8
    assert float(told.read_text()) > 0


def test_rounds_are_compared_one_by_one() -> None:
    slow, quick = Cost(100.0, 9.0, 12.0, 1800.0), Cost(40.0, 9.0, 12.0, 1800.0)
    pairs = [(slow, quick), (quick, quick), (slow, quick)]
    found = front._result({("hashing", "numbers"): pairs}, "abc", 4)
    (target,) = found.targets
    assert (target.found.value, target.found.low, target.found.high) == (0.4, 0.4, 1.0)
    assert dict(found.rows)["numbers, hashing: now"].startswith("40.0 (40.0 to 40.0) ms for 12.0")
    assert json.loads(json.dumps(found.as_json()))["figures"]["hashing numbers"][0][0][0] == 100.0
