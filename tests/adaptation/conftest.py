"""Builders for policy tests on the fake engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.leases import AdapterLeases
from adaptation.learning.loaded import LoadedAdapters
from adaptation.learning.training.fake import FakeTrainer
from adaptation.options import Options
from adaptation.policy import Policy
from adaptation.services import Services
from adaptation.types import Draw, Query
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Message

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]


@pytest.fixture
def make_query() -> MakeQuery:
    """Return a builder: options as keywords, everything else of the query as `query_...`."""

    def build(question: str = "What is 40 + 2?", **given: Any) -> Query:
        fields = {k.removeprefix("query_"): v for k, v in given.items() if k.startswith("query_")}
        options = {k: v for k, v in given.items() if not k.startswith("query_")}
        return Query(
            id="chatcmpl-test",
            tenant="default",
            messages=(Message(role="user", content=question),),
            engine_request=None,
            options=Options.model_validate(options),
            **fields,
        )

    return build


@pytest.fixture
def says() -> Callable[..., FakeEngine]:
    """Return a builder of an engine whose samples answer `answers` in order of their draws."""

    def build(answers: Sequence[str], **reply: Any) -> FakeEngine:
        def script(query: Query, draw: Draw) -> Reply:
            return Reply(f"So it is.\n#### {answers[draw.index % len(answers)]}", **reply)

        return FakeEngine(script)

    return build


@pytest.fixture
def memory(data_dir: Path) -> Iterator[LongTermMemory]:
    """A real memory with the model-free embedder."""
    memory = LongTermMemory.open(data_dir, create_embedder("hashing"))
    yield memory
    memory.close()


@pytest.fixture
def services(memory: LongTermMemory, tmp_path: Path) -> Iterator[Build]:
    """Return a builder of the pipeline's parts around a given engine and trainer."""
    leases = AdapterLeases(2, root=tmp_path)

    def build(engine: FakeEngine, trainer: FakeTrainer | None = None, **policy: object) -> Services:
        return Services(
            engine=engine,
            memory=memory,
            trainer=trainer or FakeTrainer(),
            leases=leases,
            loaded=LoadedAdapters(engine, leases),
            policy=Policy.model_validate(
                {"min_similarity": 0.1, "stopping_rule": "beta", **policy}
            ),
        )

    yield build
    assert leases.free + leases.unused == 2, "every lease comes back, or is nobody's"
    assert len(list(leases._root.iterdir())) == leases.unused, "and takes its files with it"
    leases.close()
