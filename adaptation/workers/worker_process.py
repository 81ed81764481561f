"""A process of ours that answers one request at a time and may be killed at any.

For work that an input can prolong at will. The process is started for the first request, ends at
the request that runs out of time (or memory), is started again for the next, and never outlives its
owner. It limits itself: by the signal of a timer, which stops even a single long operation.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import weakref
from collections.abc import Mapping

from adaptation import child

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
DYING_S = 1.0
"""For a process that has closed its pipe to end by itself."""


class WorkerDiedError(Exception):
    """The process ended before it replied; the message says how."""


class WorkerNotStartedError(WorkerDiedError):
    """The system has no room for the process now; the request is not to blame."""


class WorkerProcess:
    """Runs a module as a `child`, which replies to each request on stdin with a line on stdout."""

    def __init__(
        self,
        module: str,
        settings: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        """`settings` are added to the process's environment, `arguments` to its command line."""
        self._module = module
        self._arguments = arguments
        self._settings = settings or {}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[[subprocess.Popen[bytes]], WorkerProcess] | None = None

    @property
    def pid(self) -> int | None:
        """Return the id of the process, where it runs."""
        return self._process.pid if self._process else None

    def ask(self, request: bytes) -> bytes:
        """Return the line that the process replies; raises `WorkerDiedError`."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            reply = b""
            try:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(request)
                    process.stdin.flush()
                    reply = process.stdout.readline()
                if not reply:  # it is dying: how, it tells best itself
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(DYING_S)
            finally:
                if not reply:  # it has died, or its reply would be taken for the next request's
                    self.close()
            if not reply:
                raise WorkerDiedError(_what_became_of_it(process.wait()))
            return reply

    def kill(self) -> None:
        """End the process over the request that it is at, from another thread than the asker's."""
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """End the process; the next request starts another."""
        end, self._end, self._process = self._end, None, None
        if end is not None:
            end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it has died since it replied: of no request
        if self._process is None:
            self._process = self._started()
            self._end = weakref.finalize(self, _end, self._process)
        return self._process

    def _started(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                child.command(self._module, *self._arguments, flags=("-W", "ignore")),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **ONE_THREAD, **self._settings},
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerNotStartedError(f"its process cannot start: {error.strerror}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill, reap and close the pipes, whatever state they are in."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _what_became_of_it(code: int) -> str:
    if code in (-signal.SIGALRM, -signal.SIGPROF):
        return "it ran out of time"
    if code < 0:
        return f"its process was killed by {signal.Signals(-code).name}"
    return f"its process ended with status {code}"
