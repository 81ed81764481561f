"""Untrusted code is contained. Runs the real bubblewrap."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from adaptation.errors import VerifierError
from adaptation.verifiers import sandbox
from adaptation.verifiers.sandbox import Limits, run

needs_bwrap = pytest.mark.skipif(
    not sandbox.available().usable, reason=f"no sandbox here: {sandbox.available().detail}"
)


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture
def descendants() -> Callable[[], set[int]]:
    """What has been started since: other tests' processes may be there still."""
    before = children()
    return lambda: children() - before


@needs_bwrap
async def test_a_program_reads_stdin_and_writes_stdout() -> None:
    result = await run("import sys; sys.stdout.write(sys.stdin.read().upper())", b"hello")

    assert (result.exit, result.stdout, result.stderr) == (0, b"HELLO", b"")
    assert not result.timed_out
    assert not result.truncated


@needs_bwrap
async def test_exit_status_and_stderr_are_reported() -> None:
    result = await run("import sys; print('oops', file=sys.stderr); sys.exit(3)")

    assert (result.exit, result.stderr) == (3, b"oops\n")


@needs_bwrap
async def test_an_endless_loop_is_killed(descendants: Callable[[], set[int]]) -> None:
    begun = time.monotonic()

    result = await run("while True: pass", limits=Limits(wall_s=0.5))

    assert result.timed_out
    assert time.monotonic() - begun < 5
    assert not descendants()


@needs_bwrap
async def test_cpu_time_is_limited_as_well() -> None:
    result = await run("while True: pass", limits=Limits(wall_s=20, cpu_s=1))

    assert not result.timed_out
    assert result.exit != 0


@needs_bwrap
async def test_a_fork_bomb_is_contained(descendants: Callable[[], set[int]]) -> None:
    code = "import os\nwhile True:\n try: os.fork()\n except OSError: print('full', flush=True)"

    result = await run(code, limits=Limits(wall_s=1, processes=8))

    assert b"full" in result.stdout
    assert result.timed_out
    assert not descendants()


@needs_bwrap
async def test_a_daemon_does_not_outlive_its_program(descendants: Callable[[], set[int]]) -> None:
    code = "import os, time\nif os.fork() == 0:\n os.setsid(); os.closerange(0, 3); time.sleep(60)"

    await run(code)

    assert not descendants()


@needs_bwrap
async def test_a_memory_hog_is_refused_memory() -> None:
    result = await run("x = bytearray(2 * 2**30)", limits=Limits(memory_bytes=256 * 2**20))

    assert b"MemoryError" in result.stderr


@needs_bwrap
async def test_output_beyond_the_limit_is_dropped() -> None:
    result = await run("print('x' * 10**6)", limits=Limits(output_bytes=1000))

    assert result.truncated
    assert result.stdout == b"x" * 1000


@needs_bwrap
@pytest.mark.parametrize("address", ["('127.0.0.1', 80)", "('1.1.1.1', 53)"])
async def test_there_is_no_network(address: str) -> None:
    result = await run(f"import socket; socket.create_connection({address}, 1)")

    assert result.exit != 0
    assert b"Error" in result.stderr


@needs_bwrap
async def test_nothing_outside_can_be_read_or_written(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("42")
    for path in (secret, Path("/etc/passwd"), Path(__file__), Path("/proc/1/environ")):
        result = await run(f"open({str(path)!r}).read()")
        assert b"FileNotFoundError" in result.stderr
    for name in ("/usr/lib/x", "/x", "/program/main.py", "/dev/x"):
        result = await run(f"open({name!r}, 'w')")
        assert result.exit != 0


@needs_bwrap
async def test_the_scratch_space_is_small() -> None:
    code = "for i in range(9): open(f'/tmp/{i}', 'wb').write(bytes(2**20))"

    result = await run(code, limits=Limits(file_bytes=4 * 2**20))

    assert b"OSError" in result.stderr


@needs_bwrap
async def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")

    result = await run("import os; print(sorted(os.environ))")

    assert b"API" not in result.stdout
    assert b"PATH" in result.stdout


@needs_bwrap
async def test_tracing_and_namespaces_are_denied() -> None:
    code = (
        "import ctypes; c = ctypes.CDLL(None); print(c.ptrace(0, 0, 0, 0), c.unshare(0x10000000))"
    )

    assert (await run(code)).stdout == b"-1 -1\n"


@needs_bwrap
async def test_cancellation_kills_the_program(descendants: Callable[[], set[int]]) -> None:
    task = asyncio.create_task(run("import time; time.sleep(60)"))
    while not descendants():  # noqa: ASYNC110  (the kernel sends no event)
        await asyncio.sleep(0.01)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not descendants()


def test_a_self_test_that_came_to_nothing_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def busy(*arguments: object, **keywords: object) -> None:
        raise subprocess.TimeoutExpired("bwrap", 20)

    sandbox.self_tested.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", busy)
        assert not sandbox.available().usable
    assert sandbox.available().usable


async def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.self_tested.cache_clear()
    monkeypatch.setenv("PATH", "/nonexistent")
    reading, writing = os.pipe()
    try:
        with pytest.raises(VerifierError, match="install bubblewrap"):
            await run("print(1)", fds=(reading, writing))
    finally:
        sandbox.self_tested.cache_clear()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)
