"""Traffic far from memory, told by the reports of answers that were served."""

from __future__ import annotations

from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

import pytest

from adaptation.learning.monitors.traffic import FEWEST, traffic
from memory.types import Draft, Message, Tier
from tests.server.composed import MODEL, STORY, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
LOOKS = {"strategy": "demonstrations"}


async def ask(server: Composed, question: str, **changes: Any) -> None:
    turns = [{"role": "user", "content": question}]
    await server.chat(model=MODEL, messages=turns, adaptation={**LOOKS, **changes})


def unheard_of(number: int) -> str:
    """Return a question that is far from all others: each that is answered is remembered."""
    rng = Random(number)
    return " ".join("".join(rng.choices(ascii_lowercase, k=9)) for _ in range(4)) + "?"


def nearest(server: Composed, tenant: str = "default") -> list[float]:
    assert server.memory.completions.flush()
    return server.memory.windows.nearest(tenant)


async def test_questions_far_from_memory_give_alarm_and_near_ones_none(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 2")) as server:
        known = (Message(role="user", content=STORY),)
        draft = Draft(
            tenant="default", messages=known, answer="2", rationale="#### 2", tier=Tier.FEEDBACK
        )
        server.memory.save(draft)
        for number in range(FEWEST):
            await ask(server, STORY.replace("12", str(20 + number)))
        near = nearest(server)
        assert len(near) == FEWEST
        assert traffic(near) is None
        for number in range(FEWEST + 1):
            await ask(server, unheard_of(number))
        await ask(server, "Who wrote the Odyssey?", strategy="plain")
        found = nearest(server)
        assert len(found) == 2 * FEWEST + 1, "plain looks into no memory"
        alarm = traffic(found)
        assert alarm is not None
        assert alarm.value == pytest.approx((FEWEST + 1) / len(found))
        assert nearest(server, "another") == []
