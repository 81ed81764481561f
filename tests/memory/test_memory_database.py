"""Opening, migrating and refusing database files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from memory.errors import StorageBusyError, StorageUnavailableError
from memory.store.database import open_database
from memory.store.migrating import migration_config
from memory.store.schema import SCHEMA_VERSION, metadata
from memory.store.scope import EVERYONE
from memory.store.sqlite import WAL_SAFE_SINCE


def test_migrations_from_empty_build_exactly_the_tables_of_the_schema(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    with database.reading(EVERYONE) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_the_schema_version_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(migration_config()).get_current_head() == SCHEMA_VERSION


def test_commits_are_synchronous_and_wal_is_used_only_where_it_is_safe(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    with database.reading(EVERYONE) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    safe = sqlite3.sqlite_version_info >= WAL_SAFE_SINCE
    assert journal == ("wal" if safe else "truncate")
    database.close()


def test_processes_that_open_a_new_folder_at_once_all_succeed(tmp_path: Path) -> None:
    code = "import sys, pathlib; from memory.store.database import open_database; "
    code += "open_database(pathlib.Path(sys.argv[1])).close()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]


def test_a_database_of_a_newer_whet_is_refused_with_advice(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    with database.writing(EVERYONE) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(StorageUnavailableError, match="upgrade Whet"):
        open_database(tmp_path)


@pytest.mark.parametrize("version", ["", "0000", "0001x", "0016"])  # 0016 was never made
def test_a_schema_that_no_whet_has_made_is_refused(tmp_path: Path, version: str) -> None:
    database = open_database(tmp_path)
    with database.writing(EVERYONE) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (version,))
    database.close()
    with pytest.raises(StorageUnavailableError, match="which no Whet has made"):
        open_database(tmp_path)
    assert list(tmp_path.glob("whet.db.schema-*")) == []


def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    foreign = sqlite3.connect(tmp_path / "whet.db")
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    with pytest.raises(StorageUnavailableError, match="not made by Whet"):
        open_database(tmp_path)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "whet.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageUnavailableError, match="is not a database"):
        open_database(tmp_path)


def test_a_data_directory_that_cannot_exist_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailableError):
        open_database(tmp_path / "file" / "data")


def test_a_failed_block_leaves_nothing_behind(tmp_path: Path) -> None:
    database = open_database(tmp_path)

    def fail_after_writing() -> None:
        with database.writing(EVERYONE) as connection:
            connection.exec_driver_sql("INSERT INTO head VALUES ('ann', 1)")
            raise KeyError

    with pytest.raises(KeyError):
        fail_after_writing()
    with database.reading(EVERYONE) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM head").scalar() == 0
    database.close()


def test_a_log_that_somebody_reads_is_told_of_and_wiped_once_nobody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.store.sqlite.WAL_SAFE_SINCE", (3, 0, 0))
    monkeypatch.setattr("memory.store.sqlite.BUSY_TIMEOUT_MS", 20)
    database = open_database(tmp_path)
    log = tmp_path / "whet.db-wal"
    with database.reading(EVERYONE) as reader:
        reader.exec_driver_sql("SELECT count(*) FROM head").scalar()
        with database.writing(EVERYONE) as connection:
            connection.exec_driver_sql("INSERT INTO head VALUES ('a canary', 1)")
        with pytest.raises(StorageBusyError, match="somebody reads it"):
            database.empty_log()
        assert b"a canary" in log.read_bytes()
    database.empty_log()
    assert b"a canary" not in log.read_bytes()
    database.close()
