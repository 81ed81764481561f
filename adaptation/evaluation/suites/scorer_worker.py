"""The scorer's own process: `python -m adaptation.evaluation.suites.scorer_worker`.

Reads requests as lines of JSON and replies to each with its value, or with the exception of a
generator or scorer that raised.
"""

from __future__ import annotations

import gc
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any

from adaptation.evaluation.suites.errors import TooFewQuestionsError
from adaptation.evaluation.suites.reasoning_gym import Entry, data_set, families, reference
from adaptation.evaluation.suites.scorer import DRAWING_LIMIT_S, Source
from adaptation.workers.worker_loop import read_line, serve, time_limit

PLOTTING = (
    *("matplotlib", "matplotlib.pyplot", "matplotlib.animation", "matplotlib.collections"),
    *("mpl_toolkits", "mpl_toolkits.mplot3d"),
)
DATA_SETS_KEPT = 4
ENTRIES_KEPT = 4_096
"""Some take seconds to make, and each is asked for again with every answer to it."""


def main() -> None:
    """Draw and score until stdin ends."""
    _leave_out_plotting()
    gc.disable()  # a tenth of the time that the imports take
    families()  # imports reasoning-gym: of no answer's time
    gc.enable()
    desk = Desk()
    serve(read_line, desk.reply)


def _leave_out_plotting() -> None:
    """Give what imports matplotlib empty modules.

    One family's library (cellpylib, of game_of_life) imports it for pictures that nobody asks for
    here: a third of the time that a start takes.
    """
    for name in PLOTTING:
        module = sys.modules[name] = ModuleType(name)
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, module)
    setattr(sys.modules["mpl_toolkits.mplot3d"], "Axes3D", object)  # noqa: B010


class Desk:
    """Keeps the data sets that were asked for last."""

    def __init__(self) -> None:
        self._data_set = lru_cache(maxsize=DATA_SETS_KEPT)(data_set)
        self._entry = lru_cache(maxsize=ENTRIES_KEPT)(self._made)

    def reply(self, request: tuple[str, list[Any], int, Any, float]) -> dict[str, Any]:
        """`request` is what is wanted, a data set, an entry's number, what its kind needs besides,
        and the time limit of scoring in seconds."""
        kind, (family, level, seed), number, argument, limit_s = request
        source = Source(family, level, seed)
        try:
            if kind == "draw":
                return {"value": self._draw(source, number, anew=argument)}
            return {"value": self._score(source, number, argument, limit_s)}
        except TooFewQuestionsError as error:
            return {"impossible": str(error)}
        except Exception as error:  # noqa: BLE001  (a family's own code may raise anything)
            return {"error": f"{type(error).__name__}: {error}"}

    def _draw(self, source: Source, number: int, *, anew: bool) -> tuple[str, str, bool]:
        with time_limit(DRAWING_LIMIT_S):
            entry = data_set(source)[number] if anew else self._entry(source, number)
        return entry["question"], reference(entry), entry["answer"] is not None

    def _score(self, source: Source, number: int, answer: str, limit_s: float) -> float:
        with time_limit(DRAWING_LIMIT_S):
            entry, scorer = self._entry(source, number), self._data_set(source)
        with time_limit(limit_s):
            return float(scorer.score_answer(answer, entry))

    def _made(self, source: Source, number: int) -> Entry:
        entry: Entry = self._data_set(source)[number]
        return entry


if __name__ == "__main__":
    main()
