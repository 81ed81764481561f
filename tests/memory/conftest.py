"""Fixtures of the memory tests: a real SQLite file, a real index, an embedder without a model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memory.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.types import Completion, Draft, Message, Tier


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder(64)


@pytest.fixture
def memory(
    tmp_path: Path, embedder: HashingEmbedder, empty_database: Path
) -> Iterator[LongTermMemory]:
    shutil.copy(empty_database, tmp_path)
    opened = LongTermMemory.open(tmp_path, embedder)
    yield opened
    opened.close()


@pytest.fixture
def draft() -> Callable[..., Draft]:
    """Build a draft from a question and an answer; anything else can be overridden."""

    def build(question: str, answer: str = "4", **fields: object) -> Draft:
        values: dict[str, object] = {
            "tenant": "ann",
            "messages": (Message(role="user", content=question),),
            "answer": answer,
            "rationale": f"It is {answer}.",
            "tier": Tier.CORROBORATED,
            "confidence": 0.8,
        }
        return Draft.model_validate(values | fields)

    return build


@pytest.fixture
def completion() -> Callable[..., Completion]:
    """Build a completion of one question."""

    def build(
        name: str, question: str = "two and two?", answer: str = "4", **fields: object
    ) -> Completion:
        values: dict[str, object] = {
            "id": name,
            "tenant": "ann",
            "messages": (Message(role="user", content=question),),
            "text": f"It is {answer}.",
            "answer": answer,
            "model": "pebble",
        }
        return Completion.model_validate(values | fields)

    return build
