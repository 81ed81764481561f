"""Questions of one kind: a memory full of them, and an engine that an adapter teaches them."""

from __future__ import annotations

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.types import Draw, Query
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier

ASK = "What is 5 lamp 3?"


def remember_examples(memory: LongTermMemory, count: int, tier: Tier = Tier.IMPORTED) -> None:
    for number in range(count):
        question = f"What is {number} lamp {number + 1}?"
        memory.save(
            Draft(
                tenant="default",
                messages=(Message(role="user", content=question),),
                answer=str(number),
                rationale=f"lamp is -: ... \n#### {number}",
                tier=tier,
            )
        )


def adapted_engine(base: str = "1", adapted: str = "9") -> FakeEngine:
    """Say `adapted` through an adapter, which knows the examples as well, and `base` otherwise."""

    def script(query: Query, draw: Draw) -> Reply:
        told = example_asked(draw) if draw.adapter else None
        return Reply(f"#### {told or (adapted if draw.adapter else base)}", tokens=3)

    return FakeEngine(script)


def example_asked(draw: Draw) -> str | None:
    """The answer of the example that a draw asks in place of the request's prompt."""
    asked = draw.prompt
    return asked[-1].content.split()[2] if isinstance(asked, tuple) else None
