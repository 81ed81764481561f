"""Before a migration the database is copied: beside it, whole, and not for ever."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from memory.errors import StorageUnavailableError
from memory.store.database import open_database
from memory.store.schema import SCHEMA_VERSION
from memory.store.scope import EVERYONE
from tests.memory.older import older_database

pytestmark = pytest.mark.sqlite

DAY_S = 86_400


def copies(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("whet.db.*"))


def asked(path: Path, query: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchone()[0]


def version_of(path: Path) -> object:
    return asked(path, "SELECT version_num FROM alembic_version")


def test_an_older_database_is_copied_before_it_is_migrated_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "memory")  # others' imports raise the root's
    path = older_database(tmp_path)
    open_database(tmp_path).close()
    open_database(tmp_path).close()
    assert version_of(path) == SCHEMA_VERSION
    assert copies(tmp_path) == ["whet.db.schema-0007"]
    copy = tmp_path / "whet.db.schema-0007"
    assert version_of(copy) == "0007"
    assert asked(copy, "SELECT seq FROM head") == 7
    assert [r.message for r in caplog.records if r.levelno == logging.WARNING] == [
        "whet.db is migrated from schema 0007: a copy from before lies beside it, "
        "whet.db.schema-0007. Restart a server of the older Whet that is still running on it"
    ]


def test_what_the_copy_holds_can_take_the_place_of_the_migrated_file(tmp_path: Path) -> None:
    older_database(tmp_path)
    open_database(tmp_path).close()
    (tmp_path / "whet.db.schema-0007").replace(tmp_path / "whet.db")
    database = open_database(tmp_path)
    with database.reading(EVERYONE) as connection:
        assert connection.exec_driver_sql("SELECT seq FROM head").scalar() == 7
    database.close()


def test_a_new_database_and_one_of_this_schema_are_not_copied(tmp_path: Path) -> None:
    open_database(tmp_path).close()
    open_database(tmp_path).close()
    assert copies(tmp_path) == []


def test_the_newest_two_copies_stay(tmp_path: Path) -> None:
    older_database(tmp_path)
    for age, version in enumerate(("0006", "0005", "0004.part"), start=1):
        path = tmp_path / f"whet.db.schema-{version}"
        path.write_bytes(b"older")
        os.utime(path, (time.time() - age * DAY_S,) * 2)
    open_database(tmp_path).close()
    assert copies(tmp_path) == ["whet.db.schema-0006", "whet.db.schema-0007"]


def test_a_copy_older_than_thirty_days_is_deleted_when_the_database_is_opened(
    tmp_path: Path,
) -> None:
    open_database(tmp_path).close()
    for days in (29, 31):
        path = tmp_path / f"whet.db.schema-00{days}"
        path.write_bytes(b"holds what was erased since")
        os.utime(path, (time.time() - days * DAY_S,) * 2)
    open_database(tmp_path).close()
    assert copies(tmp_path) == ["whet.db.schema-0029"]


def test_a_copy_that_cannot_get_its_name_refuses_the_migration_and_loses_nothing(
    tmp_path: Path,
) -> None:
    path = older_database(tmp_path)
    obstacle = tmp_path / "whet.db.schema-0007"
    obstacle.mkdir()
    before = path.read_bytes()
    with pytest.raises(StorageUnavailableError, match="stays at schema 0007: no copy"):
        open_database(tmp_path)
    assert path.read_bytes() == before
    assert copies(tmp_path) == [obstacle.name]
    obstacle.rmdir()
    open_database(tmp_path).close()
    assert version_of(path) == SCHEMA_VERSION


def test_a_full_disk_refuses_the_migration_with_advice_until_there_is_room(
    small_disk: Path,
) -> None:
    path = older_database(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * ((1 << 20) - path.stat().st_size - 20_000))
    with pytest.raises(StorageUnavailableError, match=r"No space left on device.*make room"):
        open_database(small_disk)
    assert version_of(path) == "0007"
    assert copies(small_disk) == []
    ballast.unlink()
    open_database(small_disk).close()
    assert copies(small_disk) == ["whet.db.schema-0007"]


def test_processes_that_migrate_at_once_all_succeed_with_one_copy(tmp_path: Path) -> None:
    path = older_database(tmp_path)
    code = "import sys, pathlib; from memory.store.database import open_database; "
    code += "open_database(pathlib.Path(sys.argv[1])).close()"
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert version_of(path) == SCHEMA_VERSION
    assert copies(tmp_path) == ["whet.db.schema-0007"]
    assert version_of(tmp_path / "whet.db.schema-0007") == "0007"
