"""Memory in and out as JSON lines.

Owns the batches, the report and the export. A line that cannot be read is named and skipped, and
only what is committed is reported as imported. `memory.line_forms` knows the forms of a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from memory.errors import InvalidImportError, StorageUnavailableError
from memory.line_forms import MAX_LINE_BYTES, Line, parse_line
from memory.memory import LongTermMemory
from memory.types import Frozen, State

GROUP = 64
"""Lines per commit, embedded in two batches of 32."""


class ImportReport(Frozen):
    """What became of the lines of an import; blank lines count nowhere."""

    imported: int = 0
    confirmed: int = 0
    quarantined: int = 0
    failed: int = 0
    errors: tuple[tuple[int, str], ...] = ()
    """(line number from 1, what is wrong with it)"""
    stopped: str | None = None
    """Why the rest was not attempted: the storage failed. Nothing of it is stored."""


@dataclass
class _Counts:
    imported: int = 0
    confirmed: int = 0
    quarantined: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)

    def report(self, stopped: str | None = None) -> ImportReport:
        return ImportReport(
            imported=self.imported,
            confirmed=self.confirmed,
            quarantined=self.quarantined,
            failed=len(self.errors),
            errors=tuple(self.errors),
            stopped=stopped,
        )


def import_lines(
    memory: LongTermMemory,
    tenant: str,
    lines: Iterable[str | bytes],
    on_progress: Callable[[int], None] | None = None,
    *,
    trust: bool = False,
) -> ImportReport:
    """Store every readable line as a record of `tenant`.

    Records get the tier `imported`; `trust` keeps what an export claims, except that no file can
    claim to have been executed. `on_progress` is told how many lines are done after each commit.
    A failing storage ends the import; the report then says what was committed before.
    """
    counts = _Counts()
    group: list[Line] = []
    number = 0
    try:
        for number, text in enumerate(lines, 1):
            try:
                line = parse_line(text, tenant, trust=trust)
            except InvalidImportError as error:
                counts.errors.append((number, str(error)))
            else:
                group += [line] if line is not None else []
            if len(group) == GROUP:
                _commit(memory, group, counts)
                group = []
                _tell(on_progress, number)
        _commit(memory, group, counts)
    except StorageUnavailableError as error:
        return counts.report(str(error))
    _tell(on_progress, number)
    return counts.report()


class Exported(NamedTuple):
    """One line of an export."""

    text: str
    """JSON, without the end of the line."""
    characters: int
    """Of the whole conversation, the assistant's turn included."""


def exported(memory: LongTermMemory, tenant: str, state: State | None = None) -> Iterator[Exported]:
    """Yield each record of the tenant, oldest first; erased ones are left out."""
    for record in memory.walk(tenant, state=state):
        if record.state is not State.ERASED:
            said = (*(message.content for message in record.messages), record.rationale)
            yield Exported(record.model_dump_json(exclude={"tenant"}), sum(map(len, said)))


def export_lines(memory: LongTermMemory, tenant: str, state: State | None = None) -> Iterator[str]:
    """Yield each record of the tenant as one JSON line; see `exported`."""
    return (line.text for line in exported(memory, tenant, state))


def bounded_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a stream, cut where they exceed the limit: no line fills the memory."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES)
        yield line


def _commit(memory: LongTermMemory, group: Sequence[Line], counts: _Counts) -> None:
    if not group:
        return
    saved = memory.save_many([line.draft for line in group], [line.state for line in group])
    for one in saved:
        if not one.created:
            counts.confirmed += 1
        elif one.record.state is State.QUARANTINED:
            counts.quarantined += 1
        else:
            counts.imported += 1


def _tell(on_progress: Callable[[int], None] | None, done: int) -> None:
    if on_progress is not None:
        on_progress(done)
