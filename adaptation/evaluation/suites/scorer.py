"""Draws reasoning-gym's questions and scores answers to them, in a process of its own.

Of its own, since an answer can keep a scorer busy for hours, and since what some families draw
depends on the hash seed: there it is fixed, so that every process draws the same questions. Entries
stay in the process, as some hold what no JSON can; here they go by their number.
`scorer_worker.py` runs in it.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from adaptation.evaluation.suites.errors import ScorerError, TooFewQuestionsError
from adaptation.workers.worker_process import WorkerDiedError, WorkerProcess

TIME_LIMIT_S = 10.0
"""Per answer. The references take milliseconds, a formula that needs much simplifying a second."""
DRAWING_LIMIT_S = 120.0
"""Per question. Most take milliseconds, a crate pusher's map ten seconds."""
FIXED_HASHES = {"PYTHONHASHSEED": "0"}


class Source(NamedTuple):
    """A data set of reasoning-gym."""

    family: str
    level: int
    seed: int


class Drawn(NamedTuple):
    """What leaves the process of an entry."""

    question: str
    answer: str
    """One right answer; empty where the generator tells none."""
    is_own: bool
    """Whether the entry has it as its answer. Else it is an example among the entry's metadata."""


class Scorer:
    """Runs reasoning-gym's generators and scorers, one request at a time."""

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s
        self._worker = WorkerProcess("adaptation.evaluation.suites.scorer_worker", FIXED_HASHES)

    @property
    def pid(self) -> int | None:
        """Return the id of the process, where it runs."""
        return self._worker.pid

    def draw(self, source: Source, number: int, *, again: bool = False) -> Drawn:
        """An entry of a data set; `again` makes the data set anew.

        Raises `TooFewQuestionsError` where the family has no such data set, and `ScorerError`.
        """
        return Drawn(*self._ask("draw", source, number, again))

    def score(self, source: Source, number: int, answer: str) -> float:
        """What the family's scorer gives; raises `ScorerError` where it raises or does not end."""
        return float(self._ask("score", source, number, answer))

    def close(self) -> None:
        """End the process; the next request starts another."""
        self._worker.close()

    def _ask(self, *request: object) -> Any:
        line = json.dumps([*request, self._time_limit_s]).encode() + b"\n"
        try:
            reply = json.loads(self._worker.ask(line))
        except WorkerDiedError as death:
            raise ScorerError(f"the scorer did not answer: {death}") from death
        if "impossible" in reply:
            raise TooFewQuestionsError(reply["impossible"])
        if "error" in reply:
            raise ScorerError(reply["error"])
        return reply["value"]
