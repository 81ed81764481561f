"""The file of events that were not delivered yet: what a killed server leaves to the next.

Each server has a file of its own in the folder, and holds a lock on it. Whoever starts takes over
the files that nobody holds. An event that was delivered just before a kill is delivered again: its
id is the same, and whoever counts by ids counts it once.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from memory.store.data_folder import make_data_folder
from memory.store.folder_use import locked
from server.usage.event import Event

SUFFIX = ".jsonl"


class Journal:
    """Events by line. Everything here raises `OSError`, and waits for the disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._file: IO[str] | None = None
        self.lines = 0
        """In the file, delivered ones included."""

    def open(self) -> list[Event]:
        """Begin the file, and return what servers before left."""
        folder = self._path.parent
        make_data_folder(folder)
        left = sorted(folder.glob(f"*{SUFFIX}"))
        self._begin([])
        return [event for path in left for event in self._taken_over(path)]

    def append(self, events: Sequence[Event]) -> None:
        """Add events."""
        if self._file is not None and events:
            self._file.writelines(f"{json.dumps(event)}\n" for event in events)
            self._file.flush()
            self.lines += len(events)

    def replace(self, events: Sequence[Event]) -> None:
        """Hold these events, and nothing of what was delivered."""
        if self._file is not None:
            self._begin(events)

    def close(self) -> None:
        """Leave the file to whoever starts next; none where nothing is left."""
        if self._file is not None:
            if not self.lines:
                self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def _begin(self, events: Sequence[Event]) -> None:
        """Have a file with these events in place of the one before, at once and already held."""
        beside = self._path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        locked(descriptor, fcntl.LOCK_EX)
        before, self._file = self._file, os.fdopen(descriptor, "a", encoding="utf-8")
        self.lines = 0
        self.append(events)
        beside.replace(self._path)
        if before is not None:
            before.close()

    def _taken_over(self, path: Path) -> list[Event]:
        """Return the events of a file that nobody holds, and have them in this one."""
        with (
            suppress(FileNotFoundError),
            path.open("r+", encoding="utf-8", errors="replace") as file,
        ):
            if not locked(file.fileno(), fcntl.LOCK_EX):
                return []
            events = [event for line in file if (event := _read(line)) is not None]
            self.append(events)
            path.unlink(missing_ok=True)
            return events
        return []


def _read(line: str) -> Event | None:
    """Return a line's event; None of a line that a kill cut short."""
    with suppress(json.JSONDecodeError):
        event: Event = json.loads(line)
        return event
    return None
