"""The scorer's own process: `python -m adaptation.suites.scorer_worker`.

Reads pickled `Scoring`s and replies to each with the score, and the exception of a scorer that
raised.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from adaptation.suites.reasoning_gym import data_set
from adaptation.suites.scorer import Scoring, Source
from adaptation.worker_loop import serve, time_limit

DATA_SETS_KEPT = 4


def main() -> None:
    """Score until stdin ends."""
    data_set_of = lru_cache(maxsize=DATA_SETS_KEPT)(data_set)
    serve(pickle.load, lambda scoring: _scored(scoring, data_set_of))


def _scored(scoring: Scoring, data_set_of: Callable[[Source], Any]) -> tuple[float, str | None]:
    scorer = data_set_of(scoring.source)
    try:
        with time_limit(scoring.time_limit_s):
            return float(scorer.score_answer(scoring.answer, scoring.entry)), None
    except Exception as error:  # noqa: BLE001  (a family's own code may raise anything)
        return 0.0, f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
