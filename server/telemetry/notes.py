"""What is known of the request under way, for whoever writes a line while it is answered.

The note is made where a request comes in, and found by a context variable: tasks and the memory's
threads that work for a request take it along. It does not know how lines and spans look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from adaptation.report import Report, SampleCounts, TokenCounts


@dataclass(frozen=True)
class Answered:
    """One prompt of a request, answered."""

    completion_id: str
    report: Report
    question: str = field(repr=False)
    text: str = field(repr=False)
    prompt_tokens: int
    model: str
    end_user: str | None = None


Abandoned = tuple[SampleCounts, TokenCounts]
"""What was spent on a prompt that came to nothing."""


class Embedded(NamedTuple):
    """Texts that were embedded."""

    model: str
    prompt_tokens: int
    end_user: str | None = None


class Unbilled(NamedTuple):
    """What a request cost that nobody was told of yet."""

    answers: list[Answered]
    abandoned: list[Abandoned]
    embedded: list[Embedded]


@dataclass
class RequestNote:
    """One HTTP request, as far as it is known."""

    id: str
    method: str
    path: str
    """Without its query, which may hold content or a key."""
    client: str | None = None
    """Address of the client; None: the server itself asks, for a batch, a job or an evaluation."""
    tenant: str | None = None
    """None where a route is open to everybody."""
    trace_id: str | None = None
    """None where no trace is kept."""
    code: str | None = None
    """Code of the error that it was answered with."""
    status: int | None = None
    """None: nothing was sent before the client left."""
    has_left: bool = False
    """Whether the client went before the answer's end."""
    is_whole: bool = False
    """Whether the response came to its end."""
    is_turned_away: bool = False
    """Whether it was refused before any work."""
    answers: list[Answered] = field(default_factory=list)
    abandoned: list[Abandoned] = field(default_factory=list)
    embedded: list[Embedded] = field(default_factory=list)
    settled: Sequence[Callable[[RequestNote], None]] = ()
    """Told when the response has ended and nothing goes on for it; again where a response in the
    background comes after that."""
    _began: float = field(default_factory=time.monotonic)
    _is_over: bool = False
    _open: int = 0
    _billed: tuple[int, int, int] = (0, 0, 0)

    @property
    def seconds(self) -> float:
        """Since the request came in."""
        return time.monotonic() - self._began

    def unbilled(self) -> Unbilled | None:
        """Return what was spent since the last call; None where that is nothing."""
        answers, abandoned, embedded = self._billed
        found = Unbilled(
            self.answers[answers:], self.abandoned[abandoned:], self.embedded[embedded:]
        )
        self._billed = (len(self.answers), len(self.abandoned), len(self.embedded))
        return found if any(found) else None

    def hold(self, task: asyncio.Task[Any]) -> None:
        """Have the note settle only when a task has ended that works for the request."""
        self._open += 1
        task.add_done_callback(lambda task: self._close())

    def end(self) -> None:
        """Say that the response has ended, whole or not."""
        self._is_over = True
        self._settle()

    def _close(self) -> None:
        self._open -= 1
        self._settle()

    def _settle(self) -> None:
        if self._is_over and not self._open:
            for told in self.settled:
                told(self)


@dataclass(frozen=True)
class JobNote:
    """The offline job that a process does."""

    id: str


Note = RequestNote | JobNote
_NOTE: ContextVar[Note | None] = ContextVar("note", default=None)


def current_note() -> Note | None:
    """Return what is being worked on."""
    return _NOTE.get()


def request_note() -> RequestNote | None:
    """Return the note of the request under way."""
    note = _NOTE.get()
    return note if isinstance(note, RequestNote) else None


@contextmanager
def working_on(note: Note) -> Iterator[None]:
    """Have the lines of the block say what they are about."""
    token = _NOTE.set(note)
    try:
        yield
    finally:
        _NOTE.reset(token)
