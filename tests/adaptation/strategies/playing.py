"""Engines that reply to what they are told, for tests of strategies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.pipeline import answer
from adaptation.services import Services
from adaptation.types import Draw, Query
from tests.adaptation.lamps import ASK

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]


def asked(draw: Draw, query: Query) -> str:
    """All that the model was told for one sample."""
    messages = query.messages if draw.prompt is None else draw.prompt
    return "\n".join(message.content for message in messages)  # type: ignore[attr-defined]


def final(text: str) -> Reply:
    return Reply(f"So it is.\n#### {text}")


def playing(script: Callable[[str, Draw], str | Reply]) -> FakeEngine:
    """An engine that replies to what it is told."""

    def play(query: Query, draw: Draw) -> Reply:
        said = script(asked(draw, query), draw)
        return said if isinstance(said, Reply) else final(said)

    return FakeEngine(play)


def voluble(query: Query, draw: Draw) -> Reply:
    """Splits, criticises and reflects upon whatever it is asked; of answers it gives three."""
    if not draw.is_aside:
        return final(str(draw.index % 3))
    told = asked(draw, query)
    if "Which easier questions" in told:
        return Reply("1. How many are red?\n2. How many are blue?\n3. How many are green?")
    return Reply("All holds. Verdict: correct" if "Check every step" in told else "2+3=6.")


async def run(
    make_query: MakeQuery, built: Services, strategy: str, question: str = ASK, **more: Any
) -> Any:
    more = {"query_can_be_reworded": True, **more}
    return (await answer(make_query(question, strategy=strategy, **more), built)).report
