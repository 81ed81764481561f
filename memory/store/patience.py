"""Calls that are waited for so long and no longer: of storage that may not answer at all.

A thread cannot be ended. One that is given up is left behind, and outlasts neither its call nor the
process; as many as there are places may be left, then nothing more is begun.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import ParamSpec, TypeVar

from memory.errors import StorageUnavailableError

P = ParamSpec("P")
T = TypeVar("T")


class Patience:
    """Runs calls on threads of their own."""

    def __init__(self, what: str, places: int) -> None:
        """`what` names the storage; `places` bounds its calls, those given up included."""
        self._what = what
        self._places = threading.BoundedSemaphore(places)

    def within(
        self, seconds: float, work: Callable[P, T], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Return what `work` returns; raises `StorageUnavailableError` where that takes longer.

        So it does where calls that do not end have all places.
        """
        if not self._places.acquire(timeout=seconds):
            raise self._unanswered(seconds)
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work(*arguments, **named))
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                done.set_exception(error)
            finally:
                self._places.release()

        threading.Thread(target=run, name="patience", daemon=True).start()
        wait([done], seconds)
        if not done.done():
            raise self._unanswered(seconds)
        return done.result()

    def _unanswered(self, seconds: float) -> StorageUnavailableError:
        return StorageUnavailableError(f"{self._what} did not answer within {seconds:.3g} s")
