"""Scores answers in a process of its own, since an answer can keep a scorer busy for hours.

`scorer_worker.py` runs in it.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from adaptation.suites.errors import ScorerError
from adaptation.worker_process import WorkerDiedError, WorkerProcess

TIME_LIMIT_S = 10.0
"""Per answer. The references take milliseconds, a formula that needs much simplifying a second."""


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
        self._worker = WorkerProcess("adaptation.suites.scorer_worker")

    @property
    def pid(self) -> int | None:
        """Of the process, where it runs."""
        return self._worker.pid

    def score(self, source: Source, entry: Mapping[str, Any], answer: str) -> float:
        """What the family's scorer gives; raises `ScorerError` where it raises or does not end."""
        scoring = Scoring(source, entry, answer, self._time_limit_s)
        try:
            score, error = json.loads(self._worker.ask(pickle.dumps(scoring)))
        except WorkerDiedError as death:
            raise ScorerError(f"the scorer did not answer: {death}") from death
        if error is not None:
            raise ScorerError(error)
        return float(score)

    def close(self) -> None:
        """End the process; the next answer starts another."""
        self._worker.close()
