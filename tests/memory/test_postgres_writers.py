"""Several processes on one PostgreSQL database: one after the other where it matters."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, text

from loadtests.postgres import Cluster
from memory.embedding.hashing import HashingEmbedder
from memory.erasure.erasures import Witness
from memory.errors import StorageBusyError, StorageUnavailableError
from memory.memory import LongTermMemory
from memory.store.database import Database, open_database
from memory.store.schema import record
from memory.store.scope import EVERYONE
from memory.types import Draft, State, Tier

Build = Callable[..., Draft]

WRITER = """
import sys
from pathlib import Path
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier

memory = LongTermMemory.open(Path(sys.argv[1]), HashingEmbedder(64), database_url=sys.argv[2])
print("open", flush=True)
sys.stdin.readline()
for n in range(30):
    asked = (Message(role="user", content=f"question {n % 10}"),)
    memory.save(Draft(tenant="ann", messages=asked, answer=sys.argv[3], rationale="",
                      tier=Tier.FEEDBACK))
memory.close()
"""


@pytest.fixture
def url(postgres: Cluster, migrated_url: str) -> Iterator[str]:
    made = postgres.database(migrated_url)
    yield made
    postgres.drop(made)


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path, url)
    yield opened
    opened.close()


def test_processes_that_answer_the_same_questions_otherwise_never_leave_two_active(
    url: str, tmp_path: Path, draft: Build
) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), url, answer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for answer in ("4", "5", "6")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
    for writer in writers:
        writer.communicate("go\n", timeout=120)
        assert writer.returncode == 0
    memory = LongTermMemory.open(tmp_path, HashingEmbedder(64), database_url=url)
    records = list(memory.walk("ann"))
    assert len(records) == 30, "each answer once"
    active = Counter(each.question for each in records if each.state is State.ACTIVE)
    assert all(times == 1 for times in active.values())
    with memory._database.reading("ann") as connection:
        seqs = connection.execute(text("SELECT seq FROM event ORDER BY seq")).scalars().all()
    assert list(seqs) == list(range(1, len(seqs) + 1))
    assert memory.verify("ann").ok
    memory.close()


def test_writers_of_other_tenants_do_not_wait_and_those_of_one_do(database: Database) -> None:
    others: list[str] = []

    def write(tenant: str) -> None:
        with database.writing(tenant):
            others.append(tenant)

    with ThreadPoolExecutor(3) as pool:
        with database.writing("ann"):
            pool.submit(write, "bob").result(timeout=20)
            same, all_of_them = pool.submit(write, "ann"), pool.submit(_everyone, database, others)
            threading.Event().wait(0.3)
            assert others == ["bob"]
        same.result(timeout=20)
        all_of_them.result(timeout=20)
    assert sorted(others) == ["*", "ann", "bob"]


def _everyone(database: Database, said: list[str]) -> None:
    with database.writing(EVERYONE):
        said.append("*")


def test_groups_that_share_tenants_in_any_order_do_not_lock_each_other(
    database: Database,
) -> None:
    def write(tenants: tuple[str, ...]) -> int:
        for number in range(20):
            with database.writing(tenants):
                done = number + 1
        return done

    orders = [("a", "b", "c"), ("c", "b", "a"), ("b", "c"), ("c", "a")]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(write, orders)) == [20] * len(orders)


def test_every_query_of_one_reading_sees_the_same_moment(
    url: str, tmp_path: Path, draft: Build
) -> None:
    memory = LongTermMemory.open(tmp_path, HashingEmbedder(64), database_url=url)
    with memory._database.reading("ann") as connection:
        before = connection.execute(select(record.c.id)).all()
        memory.save(draft("meanwhile"))
        assert connection.execute(select(record.c.id)).all() == before == []
    assert len(list(memory.walk("ann"))) == 1
    memory.close()


def test_an_index_follows_what_another_process_saves_and_erases(
    url: str, tmp_path: Path, draft: Build
) -> None:
    ours, theirs = (
        LongTermMemory.open(tmp_path / name, HashingEmbedder(64), database_url=url)
        for name in ("ours", "theirs")
    )
    assert ours.recall("ann", "where is it?", k=1) == []
    saved = theirs.save(draft("where is it?"))
    assert [n.record.id for n in ours.recall("ann", "where is it?", k=1)] == [saved.record.id]
    theirs.forget("ann", saved.record.id)
    assert ours.recall("ann", "where is it?", k=1) == []
    ours.close()
    theirs.close()


def test_what_another_server_has_erased_leaves_this_ones_folder_too(
    url: str, tmp_path: Path, draft: Build
) -> None:
    ours, theirs = (
        LongTermMemory.open(tmp_path / name, HashingEmbedder(64), database_url=url)
        for name in ("ours", "theirs")
    )
    record = ours.save(draft("where is it?")).record
    for tenant in ("ann", "bob"):
        ours.save(draft("how are you?", tenant=tenant))
        ours.recall(tenant, "where is it?", k=1)
    ours.close()  # leaves snapshots
    copies = [tmp_path / "ours" / f"whet.db.schema-{n}" for n in ("0010", "0020")]
    for copy in copies:
        copy.write_bytes(b"where is it?")
    theirs.forget("ann", record.id, Witness("a test", str.upper))
    theirs.erasures.end("ann", record.id)
    later = time.time() + 60
    os.utime(copies[1], (later, later))  # made after it
    ours = LongTermMemory.open(tmp_path / "ours", HashingEmbedder(64), database_url=url)
    snapshots = {name: ours._indexes._snapshots.path(name) for name in ("ann", "bob")}
    for _ in range(2):
        ours.forgetting.look_again(time.time() - 60)
        assert [copy.exists() for copy in copies] == [False, True]
        assert {name: path.exists() for name, path in snapshots.items()} == {
            "ann": False,
            "bob": True,
        }
    ours.recall("ann", "where is it?", k=1)
    ours.close()
    assert snapshots["ann"].exists()
    ours = LongTermMemory.open(tmp_path / "ours", HashingEmbedder(64), database_url=url)
    ours.forgetting.look_again(time.time() - 60)
    assert snapshots["ann"].exists(), "it is of afterwards"
    snapshots["ann"].with_suffix(".bad").write_bytes(b"")
    ours.forgetting.look_again(time.time() - 60)
    assert list((tmp_path / "ours" / "index").iterdir()) == [snapshots["bob"]]
    ours.close()
    theirs.close()


def test_a_writer_that_waits_too_long_is_told_so(
    database: Database, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "memory.store.postgres_connections.SESSION",
        "SELECT set_config('lock_timeout', '100ms', false)",
    )
    hasty = open_database(tmp_path, url)
    with database.writing("ann"), pytest.raises(StorageBusyError, match="wait for it to finish"):
        _touch(hasty)
    _touch(hasty)
    hasty.close()


def _touch(database: Database) -> None:
    with database.writing("ann"):
        pass


def test_a_database_in_use_is_not_replaced(database: Database, url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    database.copy_to(copy)
    other = open_database(tmp_path, url)
    with pytest.raises(StorageBusyError, match="is in use"), database.replaced_by(copy):
        pass
    other.close()
    with database.replaced_by(copy), pytest.raises(StorageBusyError, match="being restored"):
        open_database(tmp_path, url)


def test_a_confirmation_and_a_review_at_the_same_time_are_both_there(
    url: str, tmp_path: Path, draft: Build
) -> None:
    memory = LongTermMemory.open(tmp_path, HashingEmbedder(64), database_url=url)
    known = memory.save(draft("q", tier=Tier.VOTE)).record
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(memory.save, draft("q", evidence={"run": n})) for n in range(12)]
        used = [pool.submit(memory.credit, "ann", [known.id], True) for _ in range(12)]
        for each in (*made, *used):
            each.result()
    found = memory.get("ann", known.id)
    assert (found.uses, found.wins, len(found.evidence["confirmations"])) == (12, 12, 12)
    memory.close()


def test_nobody_is_asked_for_an_address_that_is_none(tmp_path: Path) -> None:
    for wrong in ("mysql://u:p@h/d", "postgresql://u:pa@ss:word@h:x/d", "postgresql://h", "whet"):
        with pytest.raises(StorageUnavailableError, match="postgresql://USER") as told:
            open_database(tmp_path, wrong)
        assert "pa@ss" not in str(told.value)
