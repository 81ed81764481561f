"""Fixtures of the memory tests: real databases, a real index, an embedder without a model.

Every test that opens a memory runs on SQLite and on PostgreSQL, unless it has the marker `sqlite`
because it is about files. On PostgreSQL each folder that is opened has a database of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from loadtests.postgres import Cluster
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.store.database import Database, open_database
from memory.store.sqlite import FILE_NAME, SqliteDatabase
from memory.types import Completion, Draft, Message, Tier
from tests.memory.older import connected


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "dialect" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("sqlite")
        metafunc.parametrize(
            "dialect", ["sqlite"] if only else ["sqlite", "postgres"], indirect=True
        )


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> str:
    """The dialect of every database that the test opens without saying where."""
    if request.param == "postgres":
        request.getfixturevalue("on_postgres")
    return str(request.param)


@pytest.fixture
def on_postgres(
    postgres: Cluster, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path], str]]:
    """Give each folder a PostgreSQL database where it would have a file; return whose is which."""
    urls: dict[Path, str] = {}

    def url_of(folder: Path) -> str:
        place = folder.resolve()
        if place not in urls:
            urls[place] = postgres.database(migrated_url)
        return urls[place]

    def opened(folder: Path) -> Database:
        return open_database(folder, url_of(folder))

    monkeypatch.setattr(SqliteDatabase, "open", opened)
    yield url_of
    for url in urls.values():
        postgres.drop(url)


@pytest.fixture
def raw(
    request: pytest.FixtureRequest, dialect: str
) -> Callable[[Path], AbstractContextManager[Connection]]:
    """Return what connects to a folder's database past all of Whet."""
    if dialect == "sqlite":
        return lambda folder: connected(f"sqlite:///{folder / FILE_NAME}")
    url_of = request.getfixturevalue("on_postgres")
    return lambda folder: connected(url_of(folder))


@pytest.fixture
def data_dir(tmp_path: Path, dialect: str, empty_database: Path) -> Path:
    """A folder with an empty memory."""
    folder = tmp_path / "data"
    folder.mkdir()
    if dialect == "sqlite":
        shutil.copy(empty_database, folder)
    return folder


@pytest.fixture
def embedder(dialect: str) -> HashingEmbedder:
    return HashingEmbedder(64)


@pytest.fixture
def memory(
    tmp_path: Path, embedder: HashingEmbedder, dialect: str, empty_database: Path
) -> Iterator[LongTermMemory]:
    if dialect == "sqlite":
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
