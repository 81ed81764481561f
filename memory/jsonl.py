"""Memory in and out as JSON lines.

Owns the batches, the report and the export. A line that cannot be read is named and skipped, and
only what is committed is reported as imported. `memory.lines` knows the forms of a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

from memory.errors import InvalidImportError, SpentError, StorageUnavailableError
from memory.lines import Line, parse_line
from memory.lines.ahead import ReadAhead, spare_cores
from memory.lines.origin import NOWHERE, Origin
from memory.lines.reader import Outcome, Read
from memory.memory import LongTermMemory
from memory.types import Frozen, Saved, State

T = TypeVar("T")
Room = Callable[[], int | None]
"""Returns how many records may still be stored, None: any number; raises `SpentError`."""
GROUP = 256
"""Lines per commit: about two seconds of embedding, and few waits for the disk."""
AGAIN = "Send all of it again later: a line that is known already is not stored twice"
MAX_ERRORS = 100
"""Told one by one; a file of another kind has one in every line."""


def unlimited() -> int | None:
    """Room for any number of records."""
    return None


class ImportReport(Frozen):
    """What became of the lines of an import; blank lines count nowhere."""

    imported: int = 0
    confirmed: int = 0
    quarantined: int = 0
    failed: int = 0
    errors: tuple[tuple[int, str], ...] = ()
    """(line number from 1, what is wrong with it), the first `MAX_ERRORS` of them."""
    contradictions: tuple[tuple[int, int], ...] = ()
    """(line number, an earlier line that answers the same question otherwise), as many at most."""
    stopped: str | None = None
    """Why the rest was not attempted: the storage failed. Nothing of it is stored."""

    @property
    def stored(self) -> int:
        """Lines that are in memory now."""
        return self.imported + self.confirmed + self.quarantined


@dataclass
class _Counts:
    read: int = 0
    """Lines so far, blank ones included."""
    imported: int = 0
    confirmed: int = 0
    quarantined: int = 0
    failed: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    contradictions: list[tuple[int, int]] = field(default_factory=list)
    _answered: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By a question's fingerprint: the first line that answers it, and the record of its answer."""

    def refuse(self, number: int, error: InvalidImportError) -> None:
        """Note a line that makes no record."""
        self.failed += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append((number, str(error)))

    def take(self, number: int, saved: Saved) -> None:
        """Count a line, and note whether the file has answered its question otherwise."""
        if not saved.created:
            self.confirmed += 1
        elif saved.record.state is State.QUARANTINED:
            self.quarantined += 1
        else:
            self.imported += 1
        own = saved.record.id
        first, known = self._answered.setdefault(saved.fingerprint, (number, own))
        if known != own and len(self.contradictions) < MAX_ERRORS:
            self.contradictions.append((number, first))

    def report(self, stopped: str | None = None) -> ImportReport:
        return ImportReport(
            imported=self.imported,
            confirmed=self.confirmed,
            quarantined=self.quarantined,
            failed=self.failed,
            errors=tuple(self.errors),
            contradictions=tuple(self.contradictions),
            stopped=stopped,
        )


def import_lines(
    memory: LongTermMemory,
    tenant: str,
    lines: Iterable[str | bytes],
    on_progress: Callable[[int], None] | None = None,
    *,
    trust: bool = False,
    read: Read | None = None,
    origin: Origin = NOWHERE,
    room: Room = unlimited,
) -> ImportReport:
    """Store every readable line as a record of `tenant`.

    Records get the tier `imported`; `trust` keeps what an export claims, except that no file can
    claim to have been executed. `on_progress` is told how many lines are done after each commit.
    A failing storage ends the import; the report then says what was committed before. `room` is
    asked before each commit, and `SpentError` then says how many lines are stored. `origin` is what
    is known of the file. `read` reads lines of other forms, here; those of ours are read by other
    processes as well.
    """
    counts = _Counts()
    ours = partial(parse_line, tenant=tenant, trust=trust, origin=origin)
    ahead = ReadAhead(ours, spare_cores()) if read is None else ReadAhead(read, 0)
    try:
        with ahead:
            for group in _groups(_read(ahead.outcomes(lines), counts)):
                _store(memory, group, counts, room)
                _tell(on_progress, group[-1][0])
    except StorageUnavailableError as error:
        return counts.report(str(error))
    except SpentError as error:
        words = f"{counts.report().stored} lines are stored, then: {error}. {AGAIN}"
        raise SpentError(words, error.retry_after_s) from error
    _tell(on_progress, counts.read)
    return counts.report()


def tried_lines(
    lines: Iterable[str | bytes], read: Read, on_progress: Callable[[int], None] | None = None
) -> ImportReport:
    """Report what an import would store, but for records that are known already; store nothing."""
    counts = _Counts()
    for _ in _read(ReadAhead(read, 0).outcomes(lines), counts):
        counts.imported += 1
        if counts.read % GROUP == 0:
            _tell(on_progress, counts.read)
    _tell(on_progress, counts.read)
    return counts.report()


def _read(outcomes: Iterable[Outcome], counts: _Counts) -> Iterator[tuple[int, Line]]:
    """Yield every line that makes a record, with its number; note the others, and where nothing
    more can be read."""
    try:
        for counts.read, outcome in enumerate(outcomes, 1):
            if isinstance(outcome, InvalidImportError):
                counts.refuse(counts.read, outcome)
            elif outcome is not None:
                yield counts.read, outcome
    except InvalidImportError as error:
        counts.refuse(counts.read + 1, error)


def _groups(lines: Iterator[tuple[int, Line]]) -> Iterator[list[tuple[int, Line]]]:
    while group := list(islice(lines, GROUP)):
        yield group


class Exported(NamedTuple):
    """One line of an export."""

    text: str
    """JSON, without the end of the line."""
    characters: int
    """Characters of the whole conversation, the assistant's turn included."""


def exported(memory: LongTermMemory, tenant: str, state: State | None = None) -> Iterator[Exported]:
    """Yield each record of the tenant, oldest first; erased ones are left out."""
    for record in memory.walk(tenant, state=state):
        if record.state is not State.ERASED:
            said = (*(message.content for message in record.messages), record.rationale)
            yield Exported(record.model_dump_json(exclude={"tenant"}), sum(map(len, said)))


def export_lines(memory: LongTermMemory, tenant: str, state: State | None = None) -> Iterator[str]:
    """Yield each record of the tenant as one JSON line; see `exported`."""
    return (line.text for line in exported(memory, tenant, state))


def _store(
    memory: LongTermMemory, group: Sequence[tuple[int, Line]], counts: _Counts, room: Room
) -> None:
    """Commit a group, as much of it at a time as there is room for: a known line needs none."""
    for some in fitting(group, room):
        _commit(memory, some, counts)


def fitting(items: Sequence[T], room: Room) -> Iterator[Sequence[T]]:
    """Yield the items, as many at a time as there is room for when they are wanted."""
    while items:
        left = room()
        size = len(items) if left is None else left
        yield items[:size]
        items = items[size:]


def _commit(memory: LongTermMemory, group: Sequence[tuple[int, Line]], counts: _Counts) -> None:
    lines = [line for _, line in group]
    saved = memory.save_many([line.draft for line in lines], [line.state for line in lines])
    for (number, _), one in zip(group, saved, strict=True):
        counts.take(number, one)


def _tell(on_progress: Callable[[int], None] | None, done: int) -> None:
    if on_progress is not None:
        on_progress(done)
