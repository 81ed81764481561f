"""The device of the machine: locked by one, seen by all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.offline.job import JobKind, NewJob
from server.config import ConfigError, Settings
from server.jobs import device
from server.jobs.device import check_devices, device_name, held, holder_of, lock_of
from server.jobs.waiting import ANOTHER, waits_for

HOLD = """
import sys, time
from pathlib import Path
from server.jobs.device import held
with held(Path(sys.argv[1])) as lock:
    lock.say("job_1")
    print(lock.is_ours, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return lock_of(tmp_path, "cpu")


def test_one_has_a_lock_at_a_time_and_says_who_it_is(lock: Path) -> None:
    with held(lock) as first, held(lock) as second:
        assert (first.is_ours, second.is_ours) == (True, False)
        first.say("a long name")
        first.say("job_1")
        second.say("nobody listens")
        assert holder_of(lock) == "job_1"
    assert holder_of(lock) is None
    with held(lock) as again:
        assert again.is_ours
        assert holder_of(lock) == ""


def test_who_is_killed_holds_nothing(lock: Path) -> None:
    words = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert holder_of(lock) == "job_1"
        with held(lock) as ours:
            assert not ours.is_ours
        other.kill()
    assert holder_of(lock) is None
    with held(lock) as ours:
        assert ours.is_ours


def test_every_user_can_hold_it_whatever_the_umask_of_the_first(lock: Path) -> None:
    before = os.umask(0o077)
    try:
        with held(lock):
            assert lock.stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)


def test_a_lock_that_was_deleted_meanwhile_is_made_anew(lock: Path) -> None:
    with held(lock):
        lock.unlink()
        with held(lock) as second:
            assert second.is_ours
            assert holder_of(lock) == ""


def test_what_cannot_be_a_lock_is_refused(lock: Path, tmp_path: Path) -> None:
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="device_locks"), held(lock):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_without_a_driver_jobs_train_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "DRIVERS", ())
    assert device_name() == "cpu"


def test_a_driver_is_no_accelerator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "DRIVERS", (tmp_path,))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert device_name() == "cpu"


def test_what_is_asked_for_is_what_jobs_train_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch is played by what it says of two devices."""
    uuids = "print({'0': 'GPU-a', '1': 'GPU-b'}.get(__import__('sys').argv[1], ''))"
    monkeypatch.setattr(device, "DRIVERS", (tmp_path,))
    monkeypatch.setattr(device, "LOOK", uuids)
    asked = ("auto", "cpu", "cuda", "cuda:1")
    assert [device_name(each) for each in asked] == [
        "cuda-GPU-a",
        "cpu",
        "cuda-GPU-a",
        "cuda-GPU-b",
    ]
    with pytest.raises(ConfigError, match=r"trainer_device = cuda:2: .* auto or cpu"):
        device_name("cuda:2")


def test_an_accelerator_that_is_asked_for_and_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "DRIVERS", ())
    check_devices(Settings())
    check_devices(Settings(trainer_device="cpu", reward_device="cpu"))
    for setting in ("trainer_device", "reward_device"):
        with pytest.raises(ConfigError, match=f"{setting} = cuda: torch sees no such accelerator"):
            check_devices(Settings(**{setting: "cuda"}))
        with pytest.raises(ValidationError, match="none of auto, cpu, cuda and cuda:N"):
            Settings(**{setting: "gpu"})


def test_a_job_says_for_whom_it_waits_as_far_as_its_tenant_may_know(
    tmp_path: Path, lock: Path
) -> None:
    memory = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    try:

        def made(tenant: str, kind: JobKind = JobKind.DISTILL) -> NewJob:
            return NewJob(tenant=tenant, kind=kind, request={})

        first, mine, theirs = (memory.jobs.create(made(who), 9) for who in ("ann", "ann", "bob"))
        light = memory.jobs.create(made("ann", JobKind.REINDEX), 9)
        assert waits_for(memory.jobs, lock, mine) is None
        with held(lock) as ours:
            ours.say(first.id)
            assert waits_for(memory.jobs, lock, mine) == first.id
            assert waits_for(memory.jobs, lock, theirs) == ANOTHER
            assert waits_for(memory.jobs, lock, light) is None, "it does not train"
    finally:
        memory.close()
