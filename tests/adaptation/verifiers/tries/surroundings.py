"""What lies around the sandbox for tries to reach, and whether anything of it was reached."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.adaptation.verifiers.tries.kinds import Around

ENVIRONMENT = "WHET_TRY_CANARY"


@dataclass
class Surroundings:
    """A file, a listener and a process that nothing inside may touch."""

    around: Around
    victim: subprocess.Popen[bytes]
    reached: list[str] = field(default_factory=list)
    """By whom the listeners were reached."""
    _before: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        self._before = self._seen()

    def breaches(self) -> list[str]:
        """Return what has been changed or reached since the last look."""
        found, self.reached[:] = list(self.reached), []
        now = self._seen()
        pairs = zip(self._before, now, strict=True)
        found += [f"{was!r} became {new!r}" for was, new in pairs if was != new]
        self._before = now
        return found

    async def reached_soon(self) -> bool:
        """Whether something is reached: what listens needs a moment to note who came."""
        for _ in range(100):
            if self.breaches():
                return True
            await asyncio.sleep(0.02)
        return False

    def left_behind(self) -> list[int]:
        """Return the processes outside that a try has started."""
        return [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if self.around.marker in (process.info["cmdline"] or ())
        ]

    def _seen(self) -> tuple[object, ...]:
        secret = Path(self.around.secret)
        there = secret.exists()
        victim = psutil.Process(self.victim.pid)
        return (
            secret.read_text() if there else None,
            (secret.stat().st_mode, secret.stat().st_mtime_ns) if there else None,
            sorted(os.listdir(secret.parent)),  # noqa: PTH208
            victim.status() in (psutil.STATUS_SLEEPING, psutil.STATUS_RUNNING),
            (victim.nice(), victim.cpu_affinity()),
        )


@contextmanager
def surroundings(folder: Path) -> Iterator[Surroundings]:
    """Put everything up in `folder`, and take it down."""
    canary = "canary-" + secrets.token_hex(8)
    held = folder / "held"
    held.mkdir(mode=0o777)
    secret = held / "secret"
    secret.write_text(canary)
    for path in (held, secret):
        path.chmod(0o777)  # nothing but the sandbox stands in the way
    os.environ[ENVIRONMENT] = canary
    reached: list[str] = []
    with ExitStack() as stack:
        victim = stack.enter_context(_victim())
        port = stack.enter_context(_listening(folder / "socket", reached))
        around = Around(
            str(secret), str(held), canary, ENVIRONMENT, port, str(folder / "socket"), victim.pid,
            "try-" + secrets.token_hex(8),
        )  # fmt: skip
        yield Surroundings(around, victim, reached)
    del os.environ[ENVIRONMENT]


@contextmanager
def _victim() -> Iterator[subprocess.Popen[bytes]]:
    code = "import sys; sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _listening(path: Path, reached: list[str]) -> Iterator[int]:
    """Listen by TCP and UDP on one port, at a path, and under its name without a file."""
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    local, named = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    for listener, name in ((local, str(path)), (named, "\0" + str(path))):
        listener.bind(name)
        listener.listen()
    path.chmod(0o777)
    sockets = {"tcp": tcp, "udp": udp, "local": local, "named": named}
    threads = [
        threading.Thread(target=_note, args=(name, each, reached)) for name, each in sockets.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield port
    finally:
        for each in sockets.values():
            with suppress(OSError):  # nobody is connected: the reader wakes up all the same
                each.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for each in sockets.values():
            each.close()


def _note(name: str, listener: socket.socket, reached: list[str]) -> None:
    """Note who comes until the listener is shut."""
    while True:
        try:
            if listener.type == socket.SOCK_DGRAM:
                data = listener.recv(99)
                if not data:
                    return
            else:
                listener.accept()[0].close()
        except OSError:
            return
        reached.append(name)
