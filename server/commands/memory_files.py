"""`whet memory import | export | rebuild | verify`: the memory as a whole, in and out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from server.commands import memory_detached
from server.commands.common import open_memory
from server.import_source import source
from server.terminal import CommandError, complain, plain, print_fields, print_json, progress

if TYPE_CHECKING:
    from memory.jsonl import ImportReport


def import_file(args: argparse.Namespace) -> int:
    """Import JSONL; the status is 1 when any line was refused."""
    from memory.jsonl import import_lines
    from memory.lines import entries, origin_of_file

    if args.detach:
        return memory_detached.import_file(args)
    with (
        source(args.file) as (stream, total),
        open_memory(args, create=True) as memory,
        progress("importing") as advance,
    ):
        try:
            report = import_lines(
                memory,
                args.tenant,
                entries(stream),
                on_progress=lambda done: advance(done, total),
                trust=args.trust,
                origin=origin_of_file(args.file, args.licence, args.provenance),
            )
        except KeyboardInterrupt:
            complain("what was imported stays: the same command confirms it and goes on")
            raise
    if args.json:
        print_json(report.model_dump(mode="json"))
    else:
        print_report(report)
    return int(bool(report.failed or report.stopped))


def print_report(report: ImportReport, command: str = "whet memory import") -> None:
    """Print what came of the lines; `command` shows which there may be."""
    for line, reason in report.errors:
        print(f"line {line}: {plain(reason)}", file=sys.stderr)
    if (untold := report.failed - len(report.errors)) > 0:
        print(f"and {untold} more lines that cannot be read", file=sys.stderr)
    for line, other in report.contradictions:
        print(f"line {line}: answers the question of line {other} otherwise", file=sys.stderr)
    if report.stopped:
        complain(f"stopped early: {report.stopped}")
    if report.failed and not report.stored:
        complain(f"no line could be read: `{command} --help` shows the forms there are")
    elif not report.failed and not report.stored:
        complain("the file is empty: there was nothing to import")
    print(
        f"imported {report.imported}, confirmed {report.confirmed}, "
        f"quarantined {report.quarantined}, failed {report.failed}"
    )


def export_file(args: argparse.Namespace) -> int:
    """Export JSONL to a file or to stdout; say how long a conversation a trainer has to hold."""
    from memory.jsonl import exported

    count = longest = 0
    with open_memory(args) as memory, _writing(args.file) as stream:
        for line in exported(memory, args.tenant):
            stream.write(line.text + "\n")
            count, longest = count + 1, max(longest, line.characters)
    length = f", the longest with {longest} characters" if count else ""
    print(f"exported {count}{length}", file=sys.stderr)
    return 0


def rebuild(args: argparse.Namespace) -> int:
    """Rebuild the tenant's index."""
    if args.detach:
        return memory_detached.rebuild(args)
    with open_memory(args) as memory, progress("embedding") as advance:
        count = memory.rebuild(args.tenant, advance)
    if args.json:
        print_json({"tenant": args.tenant, "indexed": count})
    else:
        print(f"indexed {count}")
    return 0


def verify(args: argparse.Namespace) -> int:
    """Compare index and database; the status is 1 when they differ."""
    with open_memory(args) as memory:
        report = memory.verify(args.tenant)
    if args.json:
        print_json(report.model_dump(mode="json") | {"ok": report.ok})
        return int(not report.ok)
    print_fields(
        {
            "records": report.records,
            "indexed": report.indexed,
            "missing": len(report.missing),
            "extra": len(report.extra),
            "differing": len(report.differing),
        }
    )
    if not report.ok:
        raise CommandError("the index differs from the database: run `whet memory rebuild`")
    return 0


@contextmanager
def _writing(name: str) -> Iterator[TextIO]:
    """Write to stdout, or beside `name` and rename: a broken export never replaces a whole one.

    A device or a pipe, such as /dev/stdout, is written to and never replaced.
    """
    if name == "-":
        yield sys.stdout
        return
    path = Path(name)
    if path.exists() and not (path.is_file() or path.is_dir()):
        with path.open("w", encoding="utf-8") as stream:
            yield stream
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            yield stream
        part.replace(path)
    except OSError as error:
        raise CommandError(f"{name} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
