"""A server as a child process: a free port, a log file, readiness awaited, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
import psutil
from rich.console import Console

from adaptation import child

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 30.0
ENDS = (signal.SIGTERM, signal.SIGHUP)
LOG_LINES = 30
"""Shown where a server does not start."""


class ServerFailedError(Exception):
    """A server ended by itself, or was never ready; the message holds the end of its log."""


@dataclass(frozen=True)
class Launch:
    """What to start and how to see that it is ready."""

    name: str
    module: tuple[str, ...]
    """What is run, with its first arguments."""
    ready: str
    python: str = sys.executable


WHET = Launch("whet", ("server.cli", "serve"), "/ready")


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    url: str
    process: psutil.Process
    log: Path
    start_s: float

    @property
    def has_ended(self) -> bool:
        """Whether it has ended by itself, which its process shows until it is waited for."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return bool(self.process.status() == psutil.STATUS_ZOMBIE)
        return True

    def family(self) -> list[psutil.Process]:
        """Return the server's process and all those it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self.process, *self.process.children(recursive=True)]
        return []

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop every process of the server for the length of the block: it uses no CPU at all."""
        family = self.family()
        _signal(family, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(family, signal.SIGCONT)


@contextmanager
def running(
    launch: Launch, console: Console, *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Start a server on a free loopback port; end it and all its processes with the block.

    `environment` is added to this process's own. Raises `ServerFailedError` with the end of its log
    where it dies, before or within the block.
    """
    port = free_port()
    with ended_in_order(), tempfile.TemporaryDirectory(prefix="whet-log-") as folder:
        log = Path(folder) / "server.log"
        process = _spawn(launch, port, flags, log, environment or {})
        try:
            yield _await_ready(launch, process, port, log, console)
        except Exception as error:
            if isinstance(error, ServerFailedError) or not _has_died(process):
                raise
            raise ServerFailedError(_obituary(launch, process.returncode, log)) from error
        finally:
            _stop(process)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind this program as Ctrl-C does, so that it ends what it started.

    Signals are the main thread's: in another this does nothing. One that is ignored (`nohup`)
    stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ends = [number for number in ENDS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in ends}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """A second signal (a closed terminal sends two) must not cut the tidying short."""
    for each in ENDS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _has_died(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended by itself; a connection breaks a moment before its process is gone."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    return process.returncode is not None


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _inherited() -> dict[str, str]:
    """Return our environment without the database: a server started here has one of its own."""
    return {name: value for name, value in os.environ.items() if name != "WHET_DATABASE_URL"}


def _spawn(
    launch: Launch, port: int, flags: tuple[str, ...], log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    address = ("--host", "127.0.0.1", "--port", str(port))
    with log.open("wb") as output:
        return subprocess.Popen(
            child.command(*launch.module, *address, *flags, python=launch.python),
            cwd=ROOT,  # where no `whet.toml` of the user lies: all that counts is in the flags
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**_inherited(), **environment},
            start_new_session=True,  # Ctrl-C is ours: the server is stopped in order
        )


def _await_ready(
    launch: Launch, process: subprocess.Popen[bytes], port: int, log: Path, console: Console
) -> Server:
    url, started = f"http://127.0.0.1:{port}", time.monotonic()
    with console.status(f"starting {launch.name}: about 40 s on a CPU"):
        while not _is_ready(url + launch.ready):
            if process.poll() is not None:
                raise ServerFailedError(_obituary(launch, process.returncode, log))
            if time.monotonic() - started > START_TIMEOUT_S:
                raise ServerFailedError(f"{launch.name} was not ready in {START_TIMEOUT_S:.0f} s")
            time.sleep(0.25)
    seconds = time.monotonic() - started
    return Server(launch.name, url, psutil.Process(process.pid), log, seconds)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5.0).status_code == 200
    except httpx.HTTPError:
        return False


def _obituary(launch: Launch, status: int, log: Path) -> str:
    tail = log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
    return "\n".join([f"{launch.name} ended with status {status}; its log ends:", *tail])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL for whatever is left: engine and trainer have groups of their own."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs(family, timeout=5.0)
    _signal(alive, signal.SIGKILL)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
