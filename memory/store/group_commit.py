"""Saves that arrive together share one commit.

A commit costs several fsyncs whatever it holds. Each saver queues its entry and then waits for the
lead; whoever gets it commits all that is queued, and the others find their entry settled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from memory.errors import StorageUnavailableError

Entry = TypeVar("Entry")
Saved = TypeVar("Saved")
GROUP = 64
"""Entries per commit, so that the first of a long queue does not wait for the last."""


@dataclass(eq=False)
class _Ticket(Generic[Entry, Saved]):
    entry: Entry
    saved: Saved | None = None
    error: StorageUnavailableError | None = None

    @property
    def settled(self) -> bool:
        return self.saved is not None or self.error is not None


class GroupCommit(Generic[Entry, Saved]):
    """Turns single saves from many threads into few calls of `save_many`.

    What it returns for an entry is never None.
    """

    def __init__(self, save_many: Callable[[Sequence[Entry]], list[Saved]]) -> None:
        self._save_many = save_many
        self._waiting: list[_Ticket[Entry, Saved]] = []
        self._queue = threading.Lock()
        self._lead = threading.Lock()

    def save(self, entry: Entry) -> Saved:
        """Store one entry, with whatever waits beside it; durable when this returns.

        Raises `StorageUnavailableError` when the commit that held it failed.
        """
        ticket: _Ticket[Entry, Saved] = _Ticket(entry)
        with self._queue:
            self._waiting.append(ticket)
        while not ticket.settled:
            with self._lead:
                if not ticket.settled:
                    self._commit(self._take(ticket))
        if ticket.error is not None:
            raise StorageUnavailableError(str(ticket.error)) from ticket.error
        assert ticket.saved is not None
        return ticket.saved

    def refuse(self, is_meant: Callable[[Entry], bool], reason: str) -> None:
        """Let what waits of these entries fail: it is not stored."""
        with self._queue:
            for ticket in self._waiting:
                if is_meant(ticket.entry):
                    ticket.error = StorageUnavailableError(reason)
            self._waiting = [ticket for ticket in self._waiting if not ticket.settled]

    def _take(self, mine: _Ticket[Entry, Saved]) -> list[_Ticket[Entry, Saved]]:
        """Take the group at the head of the queue; `mine` alone where its leader was cut short."""
        with self._queue:
            if mine not in self._waiting:
                return [mine]
            group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            return group

    def _commit(self, group: Sequence[_Ticket[Entry, Saved]]) -> None:
        try:
            saved = self._save_many([ticket.entry for ticket in group])
        except StorageUnavailableError as error:
            for ticket in group:
                ticket.error = error
            return
        for ticket, one in zip(group, saved, strict=True):
            ticket.saved = one
