"""The scorer's own process: `python -m adaptation.suites.scorer_worker`.

Reads pickled `Scoring`s from stdin and writes a line of JSON for each: the score, and the exception
of a scorer that raised. An answer out of time ends the process by a signal, which stops even a
single long operation on huge numbers. So does the end of stdin: it never outlives its parent.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from adaptation.suites.reasoning_gym import data_set
from adaptation.suites.scorer import Scoring, Source

MAX_MEMORY_BYTES = 4 * 2**30
"""Address space; half a gigabyte of it is numpy's and sympy's own."""
DATA_SETS_KEPT = 4


def main() -> None:
    """Score until stdin ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # some families print
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    data_set_of = lru_cache(maxsize=DATA_SETS_KEPT)(data_set)
    while True:
        try:
            scoring = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        replies.write(json.dumps(_scored(scoring, data_set_of)) + "\n")


def _scored(scoring: Scoring, data_set_of: Callable[[Source], Any]) -> tuple[float, str | None]:
    scorer = data_set_of(scoring.source)
    signal.setitimer(signal.ITIMER_REAL, scoring.time_limit_s)
    try:
        return float(scorer.score_answer(scoring.answer, scoring.entry)), None
    except Exception as error:  # noqa: BLE001  (a family's own code may raise anything)
        return 0.0, f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
