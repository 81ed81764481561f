"""Builders for policy tests on the fake engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.options import Options
from adaptation.types import Draw, Query
from memory.types import Message

MakeQuery = Callable[..., Query]


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
            native=None,
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
