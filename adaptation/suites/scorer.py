"""Scores answers in a process of its own, since an answer can keep a scorer busy for hours.

Owns that process: it is started for the first answer, ends at the answer that runs out of time (or
memory), is started again for the next, and never outlives its `Scorer`. `scorer_worker.py` runs
in it.
"""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from adaptation.suites.errors import ScorerError

TIME_LIMIT_S = 10.0
"""Per answer. The references take milliseconds, a formula that needs much simplifying a second."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Source(NamedTuple):
    """The data set of reasoning-gym that an entry is from."""

    family: str
    level: int
    seed: int


@dataclass(frozen=True)
class Scoring:
    """What the process is asked."""

    source: Source
    entry: Mapping[str, Any]
    answer: str
    time_limit_s: float


class Scorer:
    """Runs reasoning-gym's scorers, one answer at a time."""

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[[subprocess.Popen[bytes]], Scorer] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, where it runs."""
        return self._process.pid if self._process else None

    def score(self, source: Source, entry: Mapping[str, Any], answer: str) -> float:
        """What the family's scorer gives; raises `ScorerError` where it raises or does not end."""
        scoring = Scoring(source, entry, answer, self._time_limit_s)
        with self._lock:
            score, error = self._asked(scoring)
        if error is not None:
            raise ScorerError(error)
        return score

    def close(self) -> None:
        """End the process; the next answer starts another."""
        if self._end is not None:
            self._end()
        self._process = self._end = None

    def _asked(self, scoring: Scoring) -> tuple[float, str | None]:
        """The score, and the exception of a scorer that raised."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        reply = b""
        try:
            with contextlib.suppress(BrokenPipeError):
                pickle.dump(scoring, process.stdin)
                process.stdin.flush()
                reply = process.stdout.readline()
        finally:
            if not reply:  # it has died, or its reply would be taken for the next answer's
                self.close()
        if not reply:
            return 0.0, _epitaph(process.returncode)
        score, error = json.loads(reply)
        return score, error

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                (sys.executable, "-W", "ignore", "-m", "adaptation.suites.scorer_worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **ONE_THREAD},
                start_new_session=True,
            )
            self._end = weakref.finalize(self, _end, self._process)
        return self._process


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill, reap and close the pipes, whatever state they are in."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _epitaph(code: int) -> str:
    if code == -signal.SIGALRM:
        return "the scorer ran out of time"
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return f"the scorer's process {how}"
