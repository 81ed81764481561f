"""Runs untrusted Python. Owns isolation and limits; knows nothing of tests, answers or grading.

Level A, the only one there is: bubblewrap (own mount, pid, network, ipc and uts namespaces, no
capabilities, read-only `/usr` and interpreter, small tmpfs, empty environment), a seccomp filter
and rlimits. No bubblewrap, or a self-test that finds a hole: nothing runs at all.

Covered: files, network, other processes, endless loops, fork bombs, memory and output floods.
Not covered: kernel exploits, side channels, and the sum of memory over processes (the limit is per
process, of which there are `Limits.processes` at most): put the server in a cgroup for that.

Root has no process limit in Linux, so under root the program first becomes a user id of its own;
without root it lives in a user namespace, whose processes count apart (Linux 5.14 and later).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptation.errors import VerifierError
from adaptation.verifiers import seccomp
from adaptation.verifiers.sandbox_programs import LAUNCHER, SELF_TEST

_INSTALL = "install bubblewrap (Debian, Ubuntu: `apt-get install bubblewrap`)"


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    wall_s: float = 10.0
    cpu_s: int = 10
    memory_bytes: int = 512 * 2**20
    """Address space of each process."""
    processes: int = 16
    """Processes and threads together."""
    file_bytes: int = 16 * 2**20
    output_bytes: int = 64 * 2**10
    """Bytes kept of stdout and of stderr each; the rest is read and thrown away."""


@dataclass(frozen=True)
class SandboxResult:
    """How a run ended."""

    exit: int
    """Negative or above 128: killed by a signal."""
    stdout: bytes
    stderr: bytes
    timed_out: bool
    truncated: bool


@dataclass(frozen=True)
class SandboxStatus:
    """Which isolation this host offers."""

    level: str
    """`A`, or `none`: untrusted code is refused."""
    detail: str

    @property
    def usable(self) -> bool:
        """Whether `run` will run anything."""
        return self.level == "A"


def available() -> SandboxStatus:
    """Say whether code can be isolated here; tries it until it is known."""
    try:
        return self_tested()
    except (OSError, subprocess.TimeoutExpired) as error:  # a busy machine may pass
        return SandboxStatus("none", f"bubblewrap does not start: {error}")


@functools.cache
def self_tested() -> SandboxStatus:
    """Say what trying came to; raises where it came to nothing, and is tried again."""
    if shutil.which("bwrap") is None:
        return SandboxStatus("none", _INSTALL)
    if platform.machine() not in seccomp.MACHINES:
        return SandboxStatus("none", f"no system-call filter for {platform.machine()}")
    with _command(SELF_TEST, {}, Limits()) as (argv, fds):
        done = subprocess.run(argv, env={}, pass_fds=fds, capture_output=True, timeout=20)
    if done.returncode == 0 and done.stdout == b"isolated":
        return SandboxStatus("A", "bubblewrap, seccomp and rlimits; self-test passed")
    why = done.stderr.decode(errors="replace").strip()[-300:] or f"exit status {done.returncode}"
    return SandboxStatus("none", f"{_INSTALL}, and allow it namespaces; its self-test said: {why}")


async def run(
    code: str,
    stdin: bytes = b"",
    limits: Limits | None = None,
    *,
    modules: Mapping[str, str] | None = None,
    fds: tuple[int, ...] = (),
) -> SandboxResult:
    """Run `code` as a program of its own, standard library only.

    `modules` maps paths (`a/b.py`) to sources it may import; `fds` are inherited under their
    numbers and belong to this call, which closes them. Cancellation kills the program.

    Raises VerifierError where there is no sandbox.
    """
    limits = limits or Limits()
    try:
        status = available()
        if not status.usable:
            raise VerifierError(f"untrusted code cannot run here: {status.detail}")
        with _command(code, modules or {}, limits) as (argv, own_fds):
            process = await _spawn(argv, (*own_fds, *fds))
    except OSError as error:
        raise VerifierError(f"the sandbox does not start: {error}") from error
    finally:
        for fd in fds:
            os.close(fd)
    return await _finish(process, stdin, limits)


async def _spawn(argv: list[str], fds: tuple[int, ...]) -> asyncio.subprocess.Process:
    """Start it in a process group of its own; a cancelled start still ends with a dead group."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv, env={}, pass_fds=fds, start_new_session=True, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
    )  # fmt: skip
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _reap(await starting)
        raise


async def _finish(
    process: asyncio.subprocess.Process, stdin: bytes, limits: Limits
) -> SandboxResult:
    """Feed, read and reap; on time-out and on cancellation everything inside dies at once."""
    assert process.stdout is not None
    assert process.stderr is not None
    out, err, timed_out = bytearray(), bytearray(), False
    try:
        async with asyncio.timeout(limits.wall_s):
            _, *overflows, _ = await asyncio.gather(
                _feed(process, stdin),
                _drain(process.stdout, out, limits.output_bytes),
                _drain(process.stderr, err, limits.output_bytes),
                process.wait(),
            )
    except TimeoutError:
        timed_out, overflows = True, []
    finally:
        await _to_the_end(_reap(process))
    truncated = any(overflows)
    return SandboxResult(process.returncode or 0, bytes(out), bytes(err), timed_out, truncated)


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # it need not read its input
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _drain(stream: asyncio.StreamReader, into: bytearray, limit: int) -> bool:
    """Read to the end, keep `limit` bytes, tell whether there were more."""
    overflow = False
    while chunk := await stream.read(65536):
        room = limit - len(into)
        into += chunk[:room]
        overflow = overflow or len(chunk) > room
    return overflow


async def _to_the_end(cleaning: Coroutine[Any, Any, None]) -> None:
    """Clean up even where a cancellation arrives meanwhile, and only then let it through."""
    task = asyncio.ensure_future(cleaning)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Kill what is left and close its pipes.

    bwrap's init stays in the process group it was started in (hence no `--new-session`), and a pid
    namespace dies with its init: nothing inside can leave the group's fate.
    """
    assert process.stdin is not None
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.stdin.close()
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        await _drain(stream, bytearray(), 0)
    await process.wait()


@contextlib.contextmanager
def _command(
    code: str, modules: Mapping[str, str], limits: Limits
) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """The command line, and the descriptors it refers to, open for the duration of the block."""
    fds: list[int] = []
    try:
        mounts: list[str] = []
        for path, source in {**modules, "main.py": code}.items():
            fds.append(_memory_file(source.encode("utf-8", "surrogatepass")))
            mounts += ["--perms", "0444", "--ro-bind-data", str(fds[-1]), f"/program/{path}"]
        fds.append(_memory_file(seccomp.program(platform.machine()) or b""))
        root = os.geteuid() == 0
        argv = ["bwrap", *_namespaces(root), *_file_system(limits), *mounts, "--remount-ro", "/"]
        yield [*argv, "--seccomp", str(fds[-1]), "--", *_launch(limits, root)], tuple(fds)
    finally:
        for fd in fds:
            os.close(fd)


def _memory_file(content: bytes) -> int:
    fd = os.memfd_create("whet-sandbox", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _namespaces(root: bool) -> list[str]:
    own_user = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if root else []
    return [
        "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
        *([] if root else ["--unshare-user"]),
        "--die-with-parent", "--cap-drop", "ALL", *own_user,
        "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp",
        "--setenv", "LANG", "C.UTF-8", "--hostname", "sandbox",
    ]  # fmt: skip


def _file_system(limits: Limits) -> list[str]:
    """Read-only programs and libraries, no /proc, no /etc, no /dev/shm, one small tmpfs."""
    mounts: list[str] = []
    for path in _programs():
        for parent in [*reversed(path.parents)][1:]:  # bwrap would copy a mode like 0700
            mounts += ["--perms", "0755", "--dir", str(parent)]
        mounts += ["--ro-bind", str(path), str(path)]
    for link in _IN_ROOT:
        if link.is_symlink():
            mounts += ["--symlink", str(link.readlink()), str(link)]
        elif link.exists():
            mounts += ["--ro-bind", str(link), str(link)]
    for device in ("null", "zero", "random", "urandom"):
        mounts += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    size = str(limits.file_bytes)
    return [*mounts, "--perms", "1777", "--size", size, "--tmpfs", "/tmp", "--chdir", "/tmp"]


_FOLDERS = ("bin", "lib", "lib32", "lib64", "sbin")
_IN_ROOT = tuple(Path("/", name) for name in _FOLDERS)


def _programs() -> list[Path]:
    """What the system and the interpreter are made of, and nothing that happens to lie beside it.

    A container's application is often in /usr/src or /usr/local/app, with its settings and data.
    """
    folders = [Path("/usr", name) for name in _FOLDERS] + [Path("/usr/share/zoneinfo")]
    prefix = Path(sys.base_prefix).resolve()
    if prefix != Path("/usr"):
        folders += [prefix / name for name in ("bin", "lib", "lib64")]
    return [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]


def _launch(limits: Limits, root: bool) -> list[str]:
    """Set the limits from inside, where processes count from zero, then run the program."""
    python = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    uid = 10**8 + secrets.randbelow(10**8) if root else 0
    numbers = (limits.cpu_s, limits.memory_bytes, limits.processes, limits.file_bytes, uid)
    return [python, "-I", "-S", "-B", "-c", LAUNCHER, *map(str, numbers)]
