"""What a kill leaves in the artifact store goes; what others have there, or put there, stays."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from sqlalchemy import select, update

from memory.errors import ConflictError, StorageUnavailableError
from memory.store.artifacts import Artifacts
from memory.store.database import Database, open_database
from memory.store.schema import loose_artifact
from memory.store.scope import EVERYONE
from memory.types import AdapterVersion
from memory.versions import loose
from memory.versions.adapter_files import FILES, WEIGHTS, hash_files
from memory.versions.adapter_shelf import AdapterShelf
from memory.versions.adapters import AdapterRegistry, NewVersion
from tests.memory.adapters_made import write_adapter
from tests.memory.away_store import AWAY

LONG_AGO = 1.0
Server = Callable[[str], AdapterRegistry]


class Killed(BaseException):
    """What nobody catches."""


class Pausing(fsspec.get_filesystem_class("memory")):  # type: ignore[misc]
    """An object store in which a deletion is seen to begin, and goes on when it may."""

    protocol = "pausing"
    begun, goes_on = threading.Event(), threading.Event()

    def rm_file(self, path: str) -> None:
        self.begun.set()
        self.goes_on.wait()
        super().rm_file(path)


fsspec.register_implementation("pausing", Pausing, clobber=True)


@pytest.fixture(params=["folder", "object store"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "shared") if request.param == "folder" else "memory://whet-loose"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    opened = open_database(data_dir)
    yield opened
    opened.close()


@pytest.fixture
def server(database: Database, tmp_path: Path, url: str) -> Server:
    """Open the versions as a server of that name has them."""
    return lambda name: AdapterRegistry(database, tmp_path / name, Artifacts(url))


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "trained")


def new(tenant: str = "ann") -> NewVersion:
    return NewVersion(tenant=tenant, base_model="pebble", rank=2)


def shared(url: str) -> set[str]:
    files, root = fsspec.core.url_to_fs(url)
    return {Path(path).name for path in files.find(root)}


def names(folder: Path) -> set[str]:
    return {f"{hash_files(folder)}.{name}" for name in FILES}


def notes(database: Database) -> int:
    with database.reading(EVERYONE) as connection:
        return len(connection.execute(select(loose_artifact.c.id)).all())


def kill(registry: AdapterRegistry, trained: Path, tenant: str = "ann") -> None:
    """Register, and be killed between the upload and its row."""

    def killed(*_: object) -> AdapterVersion:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_registered", killed)
        with pytest.raises(Killed):
            registry.register(trained, new(tenant))


def grow_old(database: Database) -> None:
    with database.writing(EVERYONE) as connection:
        connection.execute(update(loose_artifact).values(at=LONG_AGO))


def test_what_a_kill_left_goes_when_no_upload_takes_as_long(
    server: Server,
    database: Database,
    trained: Path,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kill(server("killed"), trained)
    other = server("other")
    other.drop_loose()
    assert shared(url) == names(trained)
    grow_old(database)
    with caplog.at_level(logging.INFO):
        other.drop_loose()
        other.drop_loose()
    assert (shared(url), notes(database)) == (set(), 0)
    told = [each.getMessage() for each in caplog.records if each.name == loose.__name__]
    assert told == ["adapters that no version has, deleted from the artifacts: 1"]


def test_an_upload_that_was_cut_short_goes_as_well(
    server: Server, database: Database, trained: Path, url: str
) -> None:
    kill(server("killed"), trained)
    files, root = fsspec.core.url_to_fs(url)
    files.rm_file(f"{root}/{hash_files(trained)}.{WEIGHTS}")
    grow_old(database)
    server("other").drop_loose()
    assert shared(url) == set()


def test_nothing_is_touched_that_was_not_noted(
    server: Server, database: Database, trained: Path, url: str
) -> None:
    """A model, another database's adapter and what is no artifact at all."""
    files, root = fsspec.core.url_to_fs(url)
    files.makedirs(root, exist_ok=True)
    theirs = {f"{'a' * 64}.gguf", f"{'b' * 64}.{WEIGHTS}", "invoices.csv"}
    for name in theirs:
        files.pipe_file(f"{root}/{name}", b"theirs")
    kill(server("killed"), trained)
    grow_old(database)
    server("other").drop_loose()
    assert shared(url) == theirs


def test_a_version_keeps_its_files_whatever_was_killed_before_it(
    server: Server, database: Database, trained: Path, url: str
) -> None:
    kill(server("killed"), trained, "bob")
    kill(server("killed"), trained)
    version = server("here").register(trained, new())
    assert notes(database) == 1  # the other tenant's
    grow_old(database)
    server("other").drop_loose()
    assert notes(database) == 0
    assert server("elsewhere").files_ok(version)
    server("here").retire("ann", [version.id], "it learned from what is erased")
    assert (shared(url), notes(database)) == (set(), 0)


def test_two_uploads_of_the_same_files_end_in_one_version(
    server: Server, database: Database, trained: Path, url: str
) -> None:
    slow, quick = server("slow"), server("quick")
    going_on = slow._registered

    def overtaken(*given: object) -> AdapterVersion:
        quick.register(trained, new())
        return going_on(*given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slow, "_registered", overtaken)
        version = slow.register(trained, new())
    assert [each.id for each in quick.list("ann")] == [version.id]
    assert (shared(url), notes(database)) == (names(trained), 0)


def test_an_upload_that_was_swept_is_not_registered(
    server: Server, database: Database, trained: Path
) -> None:
    """A machine that stood still for days goes on as if nothing had been."""
    asleep = server("asleep")
    going_on = asleep._registered

    def swept(*given: object) -> AdapterVersion:
        grow_old(database)
        server("other").drop_loose()
        return going_on(*given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asleep, "_registered", swept)
        with pytest.raises(StorageUnavailableError, match="more than a day ago"):
            asleep.register(trained, new())
    assert asleep.list("ann") == []
    assert server("elsewhere").files_ok(asleep.register(trained, new()))


@pytest.mark.parametrize("is_away", [False, True], ids=["there", "away afterwards"])
def test_an_upload_that_slept_for_a_day_leaves_nothing(
    is_away: bool,
    server: Server,
    database: Database,
    trained: Path,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its note went while it slept between two files, with the first; the second came later."""
    asleep, other = server("asleep"), server("other")
    put_file, unshare = Artifacts.put_file, AdapterShelf.unshare

    def sleeping(self: Artifacts, digest: str, name: str, file: Path) -> None:
        if name == FILES[-1]:
            grow_old(database)
            other.drop_loose()
        put_file(self, digest, name, file)

    def away(*_: object) -> None:
        raise StorageUnavailableError("no route to it")

    def settling(*given: object) -> AdapterVersion:
        if is_away:
            monkeypatch.setattr(AdapterShelf, "unshare", away)
        return going_on(*given)  # type: ignore[arg-type]

    going_on = asleep._registered
    monkeypatch.setattr(Artifacts, "put_file", sleeping)
    monkeypatch.setattr(asleep, "_registered", settling)
    with pytest.raises(StorageUnavailableError):
        asleep.register(trained, new())
    monkeypatch.setattr(AdapterShelf, "unshare", unshare)
    assert shared(url) == ({f"{hash_files(trained)}.{FILES[-1]}"} if is_away else set())
    other.drop_loose()
    assert (shared(url), notes(database)) == (set(), 0)


def test_a_version_that_is_refused_leaves_nothing(
    server: Server, database: Database, trained: Path, url: str
) -> None:
    def refused(*_: object) -> AdapterVersion:
        raise ConflictError("rec_1 was erased while it was learned from")

    here = server("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(here, "_registered", refused)
        with pytest.raises(ConflictError):
            here.register(trained, new())
    assert (shared(url), notes(database)) == (set(), 0)


def test_what_a_retired_version_puts_there_again_goes(
    server: Server, database: Database, trained: Path, url: str
) -> None:
    here = server("here")
    version = here.register(trained, new())
    here.retire("ann", [version.id], "it is old")
    assert here.register(trained, new()).retired is not None
    here.drop_loose()
    assert (shared(url), notes(database)) == (set(), 0)


def test_what_a_command_without_artifacts_retired_goes_with_the_next_sweep(
    server: Server, database: Database, trained: Path, tmp_path: Path, url: str
) -> None:
    here = server("here")
    version = here.register(trained, new())
    AdapterRegistry(database, tmp_path / "command").retire("ann", [version.id], "it is old")
    assert shared(url) == names(trained)
    here.drop_loose()
    assert (shared(url), notes(database)) == (set(), 0)


def test_what_is_put_while_it_is_deleted_is_there_afterwards(
    database: Database, trained: Path, tmp_path: Path
) -> None:
    """Two tenants' versions have the same files: one is retired as the other is registered."""
    at = "pausing://whet-loose"
    first, second = (AdapterRegistry(database, tmp_path / n, Artifacts(at)) for n in ("1", "2"))
    version = first.register(trained, new("ann"))
    Pausing.begun.clear()
    Pausing.goes_on.clear()
    made: list[AdapterVersion] = []
    retiring = threading.Thread(target=first.retire, args=("ann", [version.id], "it is old"))
    registering = threading.Thread(target=lambda: made.append(second.register(trained, new("bob"))))
    retiring.start()
    assert Pausing.begun.wait(30)
    registering.start()
    registering.join(0.5)
    is_waiting = registering.is_alive()
    Pausing.goes_on.set()
    retiring.join(30)
    registering.join(30)
    elsewhere = AdapterRegistry(database, tmp_path / "3", Artifacts(at))
    assert is_waiting
    assert elsewhere.files_ok(made[0])
    fsspec.filesystem("memory").store.clear()


def test_a_store_that_is_away_leaves_the_note(
    server: Server, database: Database, trained: Path, tmp_path: Path, url: str
) -> None:
    kill(server("killed"), trained)
    grow_old(database)
    away = AdapterRegistry(database, tmp_path / "away", Artifacts(AWAY))
    with pytest.raises(StorageUnavailableError, match="cannot be used"):
        away.drop_loose()
    assert (shared(url), notes(database)) == (names(trained), 1)
