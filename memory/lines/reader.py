"""A process that reads lines, and its inside.

Both ends are ours, so what passes between them is pickled. The process ends with its owner: its
standard input ends then.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from memory.errors import InvalidImportError
from memory.lines.parse import Line

Text: TypeAlias = str | bytes
Read: TypeAlias = Callable[[Text], Line | None]
"""Reads one line; None for a blank one. Raises `InvalidImportError`."""
Outcome: TypeAlias = Line | InvalidImportError | None
"""What came of a line: a draft, what is wrong with it, or nothing where it is blank."""
AHEAD = 6
"""Batches a process has at most: work enough for it while what was read is being stored."""
ROOT = Path(__file__).absolute().parents[2]
# From this very folder, whatever the working directory holds.
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from memory.lines.reader import main; main()"


def read_all(batch: Sequence[Text], read: Read) -> list[Outcome]:
    """Return what comes of each line."""
    return [_outcome(line, read) for line in batch]


def _outcome(line: Text, read: Read) -> Outcome:
    try:
        return read(line)
    except InvalidImportError as error:
        return error


class Reader:
    """One process, and the thread that talks to it."""

    def __init__(self, read: Read) -> None:
        """`read` can be pickled."""
        self._read = read
        self._process = subprocess.Popen(
            (sys.executable, "-P", "-c", _CODE, str(ROOT)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._thread = ThreadPoolExecutor(1, "reading-lines")
        self.started = self._thread.submit(self._greet)
        """Done once it reads, or never will."""
        self._waiting: list[Future[list[Outcome]]] = []

    def is_free(self) -> bool:
        """Whether it has started, and has little to do."""
        self._waiting = [each for each in self._waiting if not each.done()]
        return self.started.done() and len(self._waiting) < AHEAD

    def begin(self, batch: Sequence[Text]) -> Future[list[Outcome]]:
        """Have a batch read; should the process have died, on its thread here."""
        asked = self._thread.submit(self._ask, batch)
        self._waiting.append(asked)
        return asked

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.wait()
        self._thread.shutdown(cancel_futures=True)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _greet(self) -> None:
        with suppress(OSError, EOFError):
            self._say(self._read)
            self._hear()

    def _ask(self, batch: Sequence[Text]) -> list[Outcome]:
        try:
            self._say(batch)
            return self._hear()
        except (OSError, EOFError, pickle.UnpicklingError):
            return read_all(batch, self._read)

    def _say(self, value: object) -> None:
        assert self._process.stdin is not None
        pickle.dump(value, self._process.stdin)
        self._process.stdin.flush()

    def _hear(self) -> list[Outcome]:
        assert self._process.stdout is not None
        heard: list[Outcome] = pickle.load(self._process.stdout)
        return heard


def main() -> None:
    """Learn how to read, say so, and read batches until stdin ends."""
    given, replies = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        read: Read = pickle.load(given)
        batch: Sequence[Text] = []
        while True:
            pickle.dump(read_all(batch, read), replies)
            replies.flush()
            batch = pickle.load(given)
