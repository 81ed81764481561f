"""For all tests: no network, and no deadlines, since the machines they run on are shared.

Models here are tiny: a second thread of torch only waits for the first, and waits by spinning where
nobody says otherwise. So one does, in the processes that tests start as well.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

from loadtests.postgres import ABSENT, Cluster, programs

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MKL_CBWR", "AVX2")  # as the trainer has it: see `link.SAME_BITS`
settings.register_profile("whet", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=30)  # `make test-fast`
settings.load_profile("whet")

gc.disable()  # the imports of all tests make a million objects that stay


@pytest.hookimpl(optionalhook=True)  # a client's interpreter has no pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Share tests between workers as `tests/lanes.py` says."""
    from tests.lanes import Lanes

    config.option.loadscopereorder = False  # what needs the engine is collected first
    return Lanes(config, log)


def pytest_collection_finish() -> None:
    """Collect garbage from here on, but none among what was imported."""
    gc.collect()
    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)  # bindings report as leaked what the interpreter's end leaves


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """Leave the environment as it was: a `whet serve` that a test runs here prepares it for one."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(autouse=True)
def own_devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Wait for no job on this machine that is not the tests' own."""
    folder = tmp_path_factory.getbasetemp()
    with ExitStack() as stack:
        with suppress(ImportError):  # a client's interpreter has nothing of Whet's own
            from server.settings import places

            stack.enter_context(
                mock.patch.object(places, "default_device_locks", return_value=folder)
            )
        yield


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Mount a file system of 1 MiB, or of the size that is the parameter, where that may be."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-o", f"size={getattr(request, 'param', '1m')}", "tmpfs", str(folder)]
    if subprocess.run(["mount", "-t", "tmpfs", *options], capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty memory's file: a copy of it is opened sooner than a new one is migrated."""
    from memory.store.database import open_database

    database = open_database(tmp_path_factory.mktemp("empty"))
    database.close()
    return database.path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server for all tests; skips where there is none."""
    if programs() is None:
        pytest.skip(ABSENT)
    pytest.importorskip("psycopg", reason="whet[postgres] is not installed")
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def migrated_url(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty memory in PostgreSQL: copied sooner than a new one is migrated."""
    from memory.store.database import open_database

    url = postgres.database()
    open_database(tmp_path_factory.mktemp("empty"), url).close()
    return url


@pytest.fixture
def data_dir(tmp_path: Path, empty_database: Path) -> Path:
    """A folder with an empty memory."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(empty_database, folder)
    return folder
