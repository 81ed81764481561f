"""What is erased leaves the pages of PostgreSQL's tables, their free space as well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadtests.postgres import Cluster
from memory.embedding.hashing import HashingEmbedder
from memory.erasure.erasures import Witness
from memory.memory import LongTermMemory
from memory.store import postgres_pages
from memory.types import Draft, State
from tests.memory.older import connected

Build = Callable[..., Draft]
SECRET = "canary7731"


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    """An empty database."""
    made = postgres.database()
    yield made
    postgres.drop(made)


@pytest.fixture
def memory(url: str, tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path, HashingEmbedder(64), database_url=url)
    yield opened
    opened.close()


def holding(url: str, postgres: Cluster) -> set[str]:
    """Return the tables and indexes whose files hold the secret."""
    postgres.psql("postgres", "CHECKPOINT")
    files = "SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relkind IN ('r', 'i')"
    with connected(url) as connection:
        paths = {name: path for name, path in connection.exec_driver_sql(files).all() if path}
    data = postgres.folder / "data"
    return {name for name, path in paths.items() if SECRET.encode() in (data / path).read_bytes()}


def erase(memory: LongTermMemory, record_id: str) -> None:
    memory.forget("ann", record_id, Witness("a test", str.upper))
    memory.erasures.end("ann", record_id)


@pytest.mark.parametrize("are_small", [True, False])
def test_the_next_look_after_an_erasure_writes_small_tables_anew(
    memory: LongTermMemory,
    url: str,
    draft: Build,
    postgres: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    are_small: bool,
) -> None:
    if not are_small:
        monkeypatch.setattr(postgres_pages, "REWRITTEN_BYTES", 0)
    memory.save(draft("What stays?"))
    record_id = memory.save(draft(f"a {SECRET}")).record.id
    erase(memory, record_id)
    assert "word" in holding(url, postgres), "in free space"
    memory.forgetting.look_again(time.time() - 60)
    assert ("word" in holding(url, postgres)) is not are_small
    assert [each.question for each in memory.list("ann", state=State.ACTIVE)] == ["What stays?"]


def test_a_table_that_is_read_for_long_is_left_for_the_next_look(
    memory: LongTermMemory,
    url: str,
    draft: Build,
    postgres: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_pages, "WAIT", "50ms")
    memory.save(draft("What stays?"))
    record_id = memory.save(draft(f"a {SECRET}")).record.id
    erase(memory, record_id)
    with memory._database.reading("ann") as connection:
        connection.exec_driver_sql("SELECT count(*) FROM word")
        memory.forgetting.look_again(time.time() - 60)
    assert "word" in holding(url, postgres)
    memory.forgetting.look_again(time.time() - 60)
    assert not holding(url, postgres)
