"""A vote of four over an engine that answers at once: what is left is the build's own work.

This file runs as a script in either build, and imports only what both have.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.leases import AdapterLeases
from adaptation.learning.loaded import LoadedAdapters
from adaptation.learning.training.fake import FakeTrainer
from adaptation.options import Options
from adaptation.pipeline import answer
from adaptation.policy import Policy
from adaptation.services import Services
from adaptation.types import Draw, Query
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Message

VOTES, TURNS = 100, 7
ASKED = {"max_samples": 4, "memory": {"read": False, "write": False}}


async def _turns(services: Services) -> list[float]:
    """Return the milliseconds of processor time that a vote takes, of each turn; the first warms
    up.
    """
    query = Query(
        id="chatcmpl-bench",
        tenant="default",
        messages=(Message(role="user", content="What is 40 + 2?"),),
        engine_request=None,
        options=Options.model_validate(ASKED),
    )
    found: list[float] = []
    for _ in range(1 + TURNS):
        began = time.process_time()
        for _ in range(VOTES):
            report = (await answer(query, services)).report
            assert (report.answer, report.samples.finished) == ("42", 4)
        found.append(1e3 * (time.process_time() - began) / VOTES)
    return found[1:]


def main() -> None:
    """Print the turns as JSON."""

    def reply(query: Query, draw: Draw) -> Reply:
        return Reply("So it is.\n#### 42")

    with tempfile.TemporaryDirectory(prefix="whet-vote-") as folder:
        memory = LongTermMemory.open(Path(folder), create_embedder("hashing"))
        engine, leases = FakeEngine(reply), AdapterLeases(2, root=Path(folder))
        services = Services(
            engine=engine,
            memory=memory,
            trainer=FakeTrainer(),
            leases=leases,
            loaded=LoadedAdapters(engine, leases),
            policy=Policy(stopping_rule="fixed"),
        )
        print(json.dumps(asyncio.run(_turns(services))))
        leases.close()
        memory.close()


if __name__ == "__main__":
    main()
