"""Lines read by other processes while those before them are stored.

Reading an answer holds the interpreter for a third of a millisecond, as long as storing it takes:
in a server every request would wait for it. What comes of the lines keeps their order. Who asks for
it reads as well where it would wait otherwise, and a short file is read by nobody else.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import TypeAlias

from memory.errors import InvalidImportError
from memory.lines.reader import Outcome, Read, Reader, Text, read_all

BATCH = 128
"""Lines that pass to a process at once."""
SHORT = 2_000
"""Lines that are read before a process would have started."""
MOST_PROCESSES = 3
MOST_WAITING = 12
"""Batches whose lines wait for those before them."""
Batch: TypeAlias = tuple[list[Text], InvalidImportError | None]


class ReadAhead:
    """Reads lines with up to so many processes, which end with the block."""

    def __init__(self, read: Read, processes: int) -> None:
        """Where there are processes, `read` can be pickled."""
        self._read = read
        self._processes = processes
        self._readers: list[Reader] = []
        self._taken = 0
        """Lines so far."""

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for reader in self._readers:
            reader.close()

    def outcomes(self, lines: Iterable[Text]) -> Iterator[Outcome]:
        """Yield what comes of each line, in order.

        Where no more can be read, `InvalidImportError` is raised after all that came before.
        """
        waiting: deque[Future[list[Outcome]]] = deque()
        for batch, failure in _batches(lines):
            while waiting and (waiting[0].done() or len(waiting) >= MOST_WAITING):
                yield from waiting.popleft().result()
            waiting.append(self._begin(batch))
            if failure is not None:
                yield from _results(waiting)
                raise failure
        yield from _results(waiting)

    def _begin(self, batch: list[Text]) -> Future[list[Outcome]]:
        """Have a batch read by who is free, else read it."""
        self._taken += len(batch)
        if self._taken > SHORT and not self._readers:
            self._readers = [Reader(self._read) for _ in range(self._processes)]
        for reader in self._readers:
            if reader.is_free():
                return reader.begin(batch)
        done: Future[list[Outcome]] = Future()
        done.set_result(read_all(batch, self._read))
        return done


def spare_cores() -> int:
    """Return how many processes may read beside this one."""
    return min(len(os.sched_getaffinity(0)) - 1, MOST_PROCESSES)


def _results(waiting: deque[Future[list[Outcome]]]) -> Iterator[Outcome]:
    for each in waiting:
        yield from each.result()


def _batches(lines: Iterable[Text]) -> Iterator[Batch]:
    """Yield lists of `BATCH` lines, the last one shorter, and with it what ended them if not an
    ordinary end."""
    batch: list[Text] = []
    try:
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                yield batch, None
                batch = []
    except InvalidImportError as error:
        yield batch, error
    else:
        yield batch, None
