"""A copy of a database in use is whole, whatever others write meanwhile."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.store.database_copy import copy_database

pytestmark = pytest.mark.sqlite

HAMMER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("PRAGMA synchronous=OFF")
number = 0
while True:
    number += 1
    connection.execute("INSERT INTO row VALUES (?, zeroblob(100))", (number,))
    print(number, flush=True)
"""


@contextmanager
def hammered(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process commit without a pause."""
    command = [sys.executable, "-c", HAMMER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            yield writer
        finally:
            writer.kill()


def database(path: Path, journal: str = "delete", blob_bytes: int = 1000) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, blob)")
        connection.execute("INSERT INTO row VALUES (0, zeroblob(?))", (blob_bytes,))
    return path


def numbers(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM row ORDER BY number")]


def test_a_copy_ends_and_is_whole_while_another_process_commits_without_a_pause(
    tmp_path: Path,
) -> None:
    path = database(tmp_path / "a.db", blob_bytes=24_000_000)
    with hammered(path) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            acknowledged = int(writer.stdout.readline())
        copy_database(path, tmp_path / "b.db")
    copied = numbers(tmp_path / "b.db")
    assert copied == list(range(len(copied)))
    assert len(copied) > acknowledged


@pytest.mark.parametrize("journal", ["delete", "truncate", "wal"])
def test_a_copy_needs_no_second_file_whatever_journal_its_source_has(
    tmp_path: Path, journal: str
) -> None:
    path = database(tmp_path / "a.db", journal)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("INSERT INTO row VALUES (1, '')")
        writer.commit()
        copy_database(path, tmp_path / "b.db")
    assert sorted(file.name for file in tmp_path.glob("b.db*")) == ["b.db"]
    (tmp_path / "alone").mkdir()
    assert numbers((tmp_path / "b.db").rename(tmp_path / "alone" / "b.db")) == [0, 1]


@settings(max_examples=15)
@given(values=st.lists(st.binary(max_size=3000), max_size=8))
def test_a_copy_holds_what_its_source_holds(
    tmp_path_factory: pytest.TempPathFactory, values: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("copy")
    with closing(sqlite3.connect(folder / "a.db")) as ours, ours:
        ours.execute("CREATE TABLE row (value)")
        ours.executemany("INSERT INTO row VALUES (?)", [(value,) for value in values])
    copy_database(folder / "a.db", folder / "b.db")
    with closing(sqlite3.connect(folder / "b.db")) as copy:
        assert [row[0] for row in copy.execute("SELECT value FROM row ORDER BY rowid")] == values


def test_how_far_a_copy_is_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = database(tmp_path / "a.db", blob_bytes=9_000_000)
    copy_database(path, tmp_path / "b.db", lambda done, total: told.append((done, total)))
    assert len(told) >= 3
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


def test_a_damaged_database_is_not_copied_as_if_it_were_sound(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = [(number, "x" * 500) for number in range(1, 200)]
        connection.executemany("INSERT INTO row VALUES (?, ?)", rows)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * 8192)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        copy_database(path, tmp_path / "b.db")


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        copy_database(tmp_path / "a.db", tmp_path / "b.db")
    assert not (tmp_path / "a.db").exists()


def test_a_full_disk_is_the_copys_and_not_the_databases_fault(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        with pytest.raises(OSError, match=r"b\.db") as failure:
            copy_database(database(tmp_path / "a.db", blob_bytes=500_000), disk / "b.db")
        assert failure.value.errno == errno.ENOSPC
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
