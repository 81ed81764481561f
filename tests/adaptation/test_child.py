"""Our processes import our own packages, and end with the process that started them."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from adaptation import child
from adaptation.errors import VerifierError
from adaptation.verifiers import build_verifiers, checks
from adaptation.workers.algebra import Algebra
from adaptation.workers.worker_pool import WorkerPool
from adaptation.workers.worker_process import WorkerDiedError, WorkerProcess

SPAWNING = "tests.adaptation.spawning"


@pytest.mark.parametrize("kind", ["child", "spawned"])
def test_a_process_ends_with_a_killed_parent(kind: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", SPAWNING, kind], stdout=subprocess.PIPE, cwd=child.ROOT
    ) as owner:
        assert owner.stdout is not None
        process = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    _, alive = psutil.wait_procs([process], timeout=60)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("evil", ["memory", "server", "adaptation"])
def test_a_worker_imports_nothing_of_the_users(
    evil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / evil).mkdir()
    (tmp_path / evil / "__init__.py").write_text("raise SystemExit('the app was imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker = WorkerProcess("adaptation.workers.algebra_worker")
    assert worker.ask(b'[60.0, "x+x", ["2x"]]\n') == b"0\n"
    worker.close()


def test_a_worker_that_ends_by_itself_tells_its_own_status() -> None:
    worker = WorkerProcess("adaptation.workers.algebra_worker")
    with pytest.raises(WorkerDiedError, match="ended with status 1"):
        worker.ask(b"no JSON\n")
    worker.close()


async def test_a_system_without_room_for_a_process_is_nobodys_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    pool, algebra = WorkerPool("adaptation.verifiers.check_process", 1), Algebra(processes=1)
    monkeypatch.setattr(checks, "_pool", lambda: pool)
    try:
        assert await algebra.find("x+1", ["1+x"]) is None
        with pytest.raises(VerifierError, match="cannot start"):
            await build_verifiers(({"type": "json_schema", "schema": {}},))
    finally:
        algebra.close()
        pool.close()
