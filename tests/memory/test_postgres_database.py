"""A PostgreSQL server that is set up, migrated, wrong, away and back again."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from loadtests.postgres import ABSENT, OWNER, Cluster, programs
from memory.embedding.hashing import HashingEmbedder
from memory.erasure.erasures import Witness
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.store.database import open_database
from memory.store.migrating import migrate, migration_config
from memory.store.schema import SCHEMA_VERSION, metadata
from memory.store.sqlite import FILE_NAME
from memory.types import Completion, Draft
from tests.memory.older import connected

Build = Callable[..., Draft]
SCRIPTS = ScriptDirectory.from_config(migration_config())
VERSIONS = [each.revision for each in SCRIPTS.walk_revisions()]


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    """An empty database."""
    made = postgres.database()
    yield made
    postgres.drop(made)


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server that a test may stop, and that keeps what it acknowledged."""
    if programs() is None:
        pytest.skip(ABSENT)
    pytest.importorskip("psycopg")
    cluster = Cluster(settings=())
    yield cluster
    cluster.remove()


def opened(url: str, folder: Path) -> LongTermMemory:
    return LongTermMemory.open(folder, HashingEmbedder(64), database_url=url)


def test_migrations_from_empty_build_exactly_the_tables_of_the_schema(
    url: str, tmp_path: Path
) -> None:
    open_database(tmp_path, url).close()
    with connected(url) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("version", [v for v in VERSIONS if v != SCHEMA_VERSION])
def test_a_database_of_every_older_schema_is_copied_and_migrated(
    url: str, tmp_path: Path, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "memory")
    with connected(url) as connection:
        migrate(connection, version)
        connection.exec_driver_sql("INSERT INTO head VALUES ('ann', 7)")
        connection.exec_driver_sql(
            "INSERT INTO completion (tenant, id, messages, text, model, created_at) "
            """VALUES ('ann', 'c1', '[{"role": "user", "content": "ü"}]', 'x', 'm', 2e9 + .5)"""
        )
    memory = opened(url, tmp_path)
    assert memory.completions.get("ann", "c1").messages[0].content == "ü"
    memory.close()
    with closing(sqlite3.connect(tmp_path / f"{FILE_NAME}.schema-{version}")) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == (version,)
        assert copy.execute("SELECT seq FROM head").fetchone() == (7,)
        assert copy.execute("SELECT created_at FROM completion").fetchone() == (2000000000.5,)
    assert [r.message for r in caplog.records if "is migrated" in r.message] != []
    open_database(tmp_path, url).close()
    assert len(list(tmp_path.glob(f"{FILE_NAME}.*"))) == 1


def test_a_copy_that_cannot_be_kept_refuses_the_migration(url: str, tmp_path: Path) -> None:
    with connected(url) as connection:
        migrate(connection, "0007")
    (tmp_path / f"{FILE_NAME}.schema-0007").mkdir()
    with pytest.raises(StorageUnavailableError, match="stays at schema 0007"):
        open_database(tmp_path, url)
    with connected(url) as connection:
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        assert version == "0007"


def test_processes_that_open_at_once_migrate_once(url: str, tmp_path: Path) -> None:
    with connected(url) as connection:
        migrate(connection, "0007")
    code = "import sys, pathlib; from memory.store.database import open_database; "
    code += "open_database(pathlib.Path(sys.argv[1]), sys.argv[2]).close()"
    folders = [tmp_path / str(n) for n in range(3)]
    processes = [subprocess.Popen([sys.executable, "-c", code, str(f), url]) for f in folders]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len(list(tmp_path.glob("*/*.schema-0007"))) == 1


def test_a_newer_schema_and_tables_of_others_are_refused(url: str, tmp_path: Path) -> None:
    with connected(url) as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (x int)")
    with pytest.raises(StorageUnavailableError, match="not made by Whet: choose another database"):
        open_database(tmp_path, url)
    with connected(url) as connection:
        connection.exec_driver_sql("DROP TABLE theirs")
    open_database(tmp_path, url).close()
    with connected(url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageUnavailableError, match="upgrade Whet"):
        open_database(tmp_path, url)


def test_an_owner_without_the_right_to_create_roles_is_told_what_to_ask_for(
    postgres: Cluster, tmp_path: Path
) -> None:
    postgres.psql("postgres", "CREATE ROLE modest LOGIN")
    name = "modestly"
    postgres.psql("postgres", f"CREATE DATABASE {name} OWNER modest TEMPLATE template0")
    url = postgres.url(name, "modest")
    try:
        with pytest.raises(StorageUnavailableError) as told:
            open_database(tmp_path, url)
        needed = "CREATE ROLE modest_app NOLOGIN; GRANT modest_app TO modest"
        assert str(told.value).endswith(needed)
        postgres.psql("postgres", *needed.split("; "))
        open_database(tmp_path, url).close()
    finally:
        postgres.drop(url)
        postgres.psql("postgres", "DROP ROLE modest_app", "DROP ROLE modest")


def test_what_a_dump_does_not_take_along_is_made_anew(
    url: str, tmp_path: Path, draft: Build
) -> None:
    open_database(tmp_path, url).close()
    with connected(url) as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {OWNER}_app")
        connection.exec_driver_sql(f"REVOKE {OWNER}_app FROM {OWNER}")
    memory = opened(url, tmp_path)
    assert memory.save(draft("q")).created
    memory.close()


def test_what_is_wrong_with_an_address_is_told_in_one_line_without_the_password(
    postgres: Cluster, url: str, tmp_path: Path
) -> None:
    postgres.psql("postgres", "ALTER ROLE whet PASSWORD 'right'")
    socket = url.partition("?")[2]
    told = {
        "postgresql://whet:hush@127.0.0.1:1/d": "is not reachable",
        "postgresql://whet:hush@no-such-host.invalid/d": "is not reachable",
        f"postgresql://whet:hush@/none?{socket}": "create it with createdb",
        f"postgresql://nobody:hush@/d?{socket}": "does not know the user",
        f"postgresql://whet@/d?{socket}&password=hush&nonsense=1": "unknown parameter",
    }
    for address, reason in told.items():
        with pytest.raises(StorageUnavailableError, match=reason) as error:
            open_database(tmp_path, address)
        assert "hush" not in str(error.value)
        assert "\n" not in str(error.value)


def test_without_its_driver_postgresql_says_what_to_install(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StorageUnavailableError, match=r"pip install 'whet\[postgres\]'"):
        open_database(tmp_path, url)


def test_a_database_that_is_away_acknowledges_nothing_and_is_used_again_when_it_is_back(
    own_cluster: Cluster, tmp_path: Path, draft: Build, completion: Callable[..., Completion]
) -> None:
    memory = opened(own_cluster.database(), tmp_path)
    before = memory.save(draft("before")).record
    memory.recall("ann", "before", k=1)
    own_cluster.stop("immediate")
    for use in (
        lambda: memory.save(draft("meanwhile")),
        lambda: memory.recall("ann", "before", k=1),
        lambda: memory.get("ann", before.id),
    ):
        with pytest.raises(StorageUnavailableError, match="is not reachable"):
            use()
    assert "not reachable" in (memory.storage_problem() or "")
    own_cluster.start()
    assert memory.storage_problem() is None
    assert [r.question for r in memory.walk("ann")] == ["before"]
    assert memory.save(draft("after")).created
    memory.completions.append(completion("c1"))
    assert memory.completions.flush()
    assert memory.completions.get("ann", "c1")
    assert memory.verify("ann").ok
    memory.close()


def test_a_restart_between_two_uses_is_not_noticed(
    own_cluster: Cluster, tmp_path: Path, draft: Build
) -> None:
    memory = opened(own_cluster.database(), tmp_path)
    memory.save(draft("before"))
    own_cluster.stop()
    own_cluster.start()
    assert memory.save(draft("after")).created
    memory.close()


def test_a_database_that_was_emptied_is_made_anew(url: str, tmp_path: Path, draft: Build) -> None:
    memory = opened(url, tmp_path)
    memory.save(draft("before"))
    with connected(url) as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
    with pytest.raises(StorageUnavailableError, match="was emptied"):
        memory.save(draft("meanwhile"))
    assert memory.save(draft("after")).created
    assert len(memory.list("ann")) == 1
    memory.close()


def sizes(url: str) -> dict[str, int]:
    """Return the bytes of each table's pages."""
    names = [table.name for table in metadata.sorted_tables]
    with connected(url) as connection:
        return {
            name: connection.exec_driver_sql(f"SELECT pg_relation_size('\"{name}\"')").scalar_one()
            for name in names
        }


def test_what_is_erased_leaves_the_pages_of_every_table(
    url: str, tmp_path: Path, draft: Build
) -> None:
    memory = opened(url, tmp_path)
    record_id = memory.save(draft("a secret")).record.id
    memory.notes.add("ann", "", "a secret", ["it failed"])
    assert sizes(url)["note"] > 0
    memory.forget("ann", record_id)
    assert sizes(url)["note"] == 0
    vacuumed = "SELECT relname FROM pg_stat_user_tables WHERE last_vacuum IS NOT NULL"
    with connected(url) as connection:
        assert set(connection.exec_driver_sql(vacuumed).scalars()) == set(metadata.tables)
    memory.close()


def test_what_was_read_while_it_was_erased_leaves_the_pages_with_the_next_look(
    url: str, tmp_path: Path, draft: Build
) -> None:
    memory = opened(url, tmp_path)
    record_id = memory.save(draft("a secret")).record.id
    memory.notes.add("ann", "", "a secret", ["it failed"])
    with memory._database.reading("ann") as connection:  # as a backup does
        connection.exec_driver_sql("SELECT count(*) FROM note")
        memory.forget("ann", record_id, Witness("a test", str.upper))
    memory.erasures.end("ann", record_id)
    assert sizes(url)["note"] > 0
    memory.forgetting.look_again(time.time() + 60)
    assert sizes(url)["note"] > 0, "nothing was erased since"
    memory.forgetting.look_again(time.time() - 60)
    assert sizes(url)["note"] == 0
    memory.close()


def test_every_character_is_kept(url: str, tmp_path: Path, draft: Build) -> None:
    memory = opened(url, tmp_path)
    odd = "a\x00b\U0010ffffc\U0010ffff0 \\x00 %s é 日本"
    saved = memory.save(draft(odd, odd, task="t\x00", evidence={"said": odd})).record
    found = memory.get("ann", saved.id)
    assert (found.question, found.answer, found.task) == (odd, odd, "t\x00")
    assert found.evidence["said"] == odd
    assert [r.id for r in memory.list("ann", q="A\x00B")] == [saved.id]
    assert memory.list("ann", q="a\x00c") == []
    assert [r.id for r in memory.list("ann", task="t\x00")] == [saved.id]
    with pytest.raises(Exception, match="no record"):
        memory.get("ann", "rec_\x00")
    memory.close()
