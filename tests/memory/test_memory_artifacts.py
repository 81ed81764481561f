"""Replicas share adapters: what one has made, another fetches, and believes by its digest alone."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from memory.errors import ConflictError, StorageUnavailableError
from memory.store import artifacts as module
from memory.store.artifacts import MOST_CALLS, Artifacts
from memory.store.database import Database, open_database
from memory.types import AdapterVersion
from memory.versions.adapter_files import CONFIG, FILES, WEIGHTS
from memory.versions.adapters import AdapterRegistry, NewVersion
from tests.memory.adapters_made import write_adapter
from tests.memory.away_store import AWAY

DIGEST = "0" * 64


class Silent(fsspec.get_filesystem_class("memory")):  # type: ignore[misc]
    """An object store that takes its time."""

    protocol = "silent"
    answers = threading.Event()

    def exists(self, path: str, **more: object) -> bool:
        self.answers.wait()
        return bool(super().exists(path, **more))


fsspec.register_implementation("silent", Silent, clobber=True)


@pytest.fixture(params=["folder", "object store"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Artifacts]:
    if request.param == "folder":
        yield Artifacts(str(tmp_path / "shared"))
        return
    yield Artifacts("memory://whet-tests")
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    database = open_database(data_dir)
    yield database
    database.close()


@pytest.fixture
def made(database: Database, artifacts: Artifacts, tmp_path: Path) -> AdapterVersion:
    here = AdapterRegistry(database, tmp_path / "here", artifacts)
    return here.register(
        write_adapter(tmp_path / "trained"),
        NewVersion(tenant="ann", base_model="pebble", rank=2),
    )


def test_a_replica_fetches_what_another_made(
    database: Database, artifacts: Artifacts, made: AdapterVersion, tmp_path: Path
) -> None:
    there = AdapterRegistry(database, tmp_path / "there", artifacts)
    version = there.show("ann", made.id)
    assert there.files_ok(version)
    for name in FILES:
        assert (Path(version.path) / name).read_bytes() == (Path(made.path) / name).read_bytes()
    assert [path.name for path in (tmp_path / "there").iterdir()] == [made.id]
    assert there.promote("ann", made.id).id == made.id


def test_a_retired_version_is_shared_no_more(
    database: Database, artifacts: Artifacts, made: AdapterVersion, tmp_path: Path
) -> None:
    here = AdapterRegistry(database, tmp_path / "here", artifacts)
    here.retire("ann", [made.id], "it learned from what was erased")
    there = AdapterRegistry(database, tmp_path / "there", artifacts)
    assert not there.files_ok(there.show("ann", made.id))


def test_what_cannot_be_fetched_keeps_no_retired_version_in_service(
    database: Database, artifacts: Artifacts, made: AdapterVersion, tmp_path: Path
) -> None:
    """Artifacts that are away may keep weights from being deleted, and nothing else."""
    here = AdapterRegistry(database, tmp_path / "here", artifacts)
    here.promote("ann", made.id)
    learned = here.register(
        write_adapter(tmp_path / "more", 2.0), NewVersion(tenant="ann", base_model="pebble", rank=2)
    )
    here.promote("ann", learned.id)
    there = AdapterRegistry(database, tmp_path / "there", Artifacts(AWAY))
    with pytest.raises(StorageUnavailableError, match="cannot be used"):
        there.retire("ann", [learned.id], "it learned from what was erased")
    assert there.alias("ann", "champion") is None
    here.retire("ann", [learned.id], "again")
    assert not Path(learned.path).exists()


def test_without_artifacts_what_another_made_is_missing(
    database: Database, made: AdapterVersion, tmp_path: Path
) -> None:
    alone = AdapterRegistry(database, tmp_path / "there")
    assert not alone.files_ok(alone.show("ann", made.id))
    with pytest.raises(ConflictError, match="train it again"):
        alone.promote("ann", made.id)


def test_damaged_files_are_fetched_anew(
    database: Database, artifacts: Artifacts, made: AdapterVersion, tmp_path: Path
) -> None:
    here = AdapterRegistry(database, tmp_path / "here", artifacts)
    (Path(made.path) / WEIGHTS).write_bytes(b"damaged")
    assert here.files_ok(made)
    assert (Path(made.path) / WEIGHTS).stat().st_size > 7


def test_a_copy_that_is_not_what_its_digest_says_is_not_taken(
    database: Database, made: AdapterVersion, tmp_path: Path
) -> None:
    other = write_adapter(tmp_path / "other", 2.0)
    shared = tmp_path / "elsewhere"
    artifacts = Artifacts(str(shared))
    AdapterRegistry(database, tmp_path / "again", artifacts).register(
        write_adapter(tmp_path / "trained again"),
        NewVersion(tenant="ann", base_model="pebble", rank=2),
    )
    (kept,) = shared.glob(f"*{WEIGHTS}")
    shutil.copyfile(other / WEIGHTS, kept)
    there = AdapterRegistry(database, tmp_path / "there", artifacts)
    assert not there.files_ok(there.show("ann", made.id))
    assert list((tmp_path / "there").iterdir()) == []


def test_files_that_were_cut_short_are_put_again(artifacts: Artifacts, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "made")
    whole = (folder / CONFIG).read_bytes()
    (folder / CONFIG).write_bytes(whole[:3])
    artifacts.put(DIGEST, folder, FILES)
    (folder / CONFIG).write_bytes(whole)
    artifacts.put(DIGEST, folder, FILES)
    (tmp_path / "found").mkdir()
    assert artifacts.fetch(DIGEST, tmp_path / "found", FILES, 10_000)
    assert (tmp_path / "found" / CONFIG).read_bytes() == whole


def test_what_is_not_there_or_too_large_is_not_fetched(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    assert not artifacts.fetch(DIGEST, tmp_path, FILES, 10_000)
    artifacts.put(DIGEST, write_adapter(tmp_path / "made"), FILES)
    assert not artifacts.fetch(DIGEST, tmp_path, FILES, 10)


def test_what_is_deleted_is_gone_and_deleting_twice_is_well(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    artifacts.put(DIGEST, write_adapter(tmp_path / "made"), FILES)
    artifacts.delete(DIGEST, FILES)
    artifacts.delete(DIGEST, FILES)
    assert not artifacts.fetch(DIGEST, tmp_path, FILES, 10_000)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    artifacts = Artifacts(str(tmp_path / "file"))
    with pytest.raises(StorageUnavailableError, match=r"artifacts at .*file cannot be used"):
        artifacts.put(DIGEST, write_adapter(tmp_path / "made"), FILES)


@pytest.mark.parametrize(
    ("url", "told"),
    [("nowhere://bucket", "cannot be used"), ("s3://key:word@bucket", "leave the password out")],
)
def test_a_url_that_cannot_be_used_is_refused_at_once(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        Artifacts(url)
    assert "word@" not in str(refused.value)


def test_a_store_that_does_not_answer_is_given_up_and_used_again_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    artifacts, trained = Artifacts("silent://whet-tests"), write_adapter(tmp_path / "trained")
    Silent.answers.clear()
    before, began = threading.active_count(), time.monotonic()
    for _ in range(MOST_CALLS + 2):
        with pytest.raises(StorageUnavailableError, match="did not answer within"):
            artifacts.put(DIGEST, trained, FILES)
    assert time.monotonic() - began < 30
    assert threading.active_count() - before <= MOST_CALLS
    Silent.answers.set()
    artifacts.put(DIGEST, trained, FILES)
    (tmp_path / "fetched").mkdir()
    assert artifacts.fetch(DIGEST, tmp_path / "fetched", FILES, 10**6)
