"""`whet import openai FILE…`: what OpenAI lets its users take along becomes records."""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.commands.common import (
    Subparsers,
    add_memory_arguments,
    add_origin_arguments,
    command_parser,
    open_memory,
)
from server.commands.memory_files import print_report
from server.import_source import source
from server.terminal import CommandError, print_json, progress

if TYPE_CHECKING:
    from memory.jsonl import ImportReport
    from memory.lines import Line, Origin
    from server.openai_export import Mapped

EXAMPLES = """\
  whet import openai training.jsonl --licence CC-BY-4.0
  whet import openai eval.json runs.json output_items.json --dry-run
  whet import openai items.jsonl --question prompt --answer ideal
  whet import openai preferences.jsonl --preferred

Each line of a file is one of
  a conversation of supervised fine-tuning, with tools and weights
  a preference, with --preferred: what was preferred is learned as a solution
  {"messages": [..., the user's], "FIELD": the reference answer}   reinforcement fine-tuning
  {"item": {...}}                                                  an item of an eval
A file that is one JSON object is an exported eval, a run of it, or a page of runs or of output
items as the API lists them. Together they say where the items of all the files hold their questions
and answers, and may bring items along. Status 1: lines were refused, and named.
"""
MOST_EVAL_BYTES = 1 << 28


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet import` and where from."""
    summary = "read what OpenAI lets you take along: fine-tuning files and evals"
    parser = command_parser(subparsers, "import", summary, "  whet import openai FILE\n")
    below = parser.add_subparsers(metavar="FROM", required=True)
    told = "read fine-tuning files and exported evals"
    openai = command_parser(below, "openai", told, EXAMPLES)
    add_memory_arguments(openai)
    add = openai.add_argument
    add("files", metavar="FILE", nargs="+", help="JSONL, packed with gzip or not, or an eval")
    add_origin_arguments(openai)
    add(
        "--question",
        metavar="FIELD",
        help="field of an item that is the question (default: as its eval says, or its name)",
    )
    add("--answer", metavar="FIELD", help="field of an item that is the answer (default: as above)")
    add("--preferred", action="store_true", help="learn the preferred output of preferences")
    add("--dry-run", action="store_true", help="say what would be imported, and import nothing")
    openai.set_defaults(run=import_openai)


def import_openai(args: argparse.Namespace) -> int:
    """Import every file; the status is 1 when any line was refused."""
    from server.openai_export import mapped

    evals = {name: found for name in args.files if (found := _eval_of(name)) is not None}
    where = _named(mapped(*evals.values()), args)
    reports: dict[str, ImportReport] = {}
    with nullcontext(None) if args.dry_run else open_memory(args, create=True) as memory:
        for name in args.files:
            reports[name] = _import_one(args, memory, name, evals.get(name), where)
            if reports[name].stopped:
                break
    _tell(args, reports, evals.keys())
    return int(any(report.failed or report.stopped for report in reports.values()))


def _import_one(
    args: argparse.Namespace, memory: Any, name: str, found: Any, where: Mapped
) -> ImportReport:
    """Import the lines of a file, or the items of an eval."""
    from memory.jsonl import import_lines, tried_lines
    from memory.lines import entries, origin_of_file
    from server.openai_export import items_of

    origin = origin_of_file(name, args.licence, args.provenance)
    read = partial(_read, tenant=args.tenant, where=where, args=args, origin=origin)
    with source(name) as (stream, total), progress(f"importing {Path(name).name}") as advance:
        lines: Iterable[str | bytes] = entries(stream)
        if found is not None:
            total, lines = None, map(json.dumps, items_of(found))
        told = partial(_advance, advance, total)
        if memory is None:
            return tried_lines(lines, read, told)
        return import_lines(memory, args.tenant, lines, told, read=read)


def _read(
    text: str | bytes,
    tenant: str,
    where: Mapped,
    args: argparse.Namespace,
    origin: Origin,
) -> Line | None:
    """Read one line; raises `InvalidImportError`."""
    from dataclasses import replace

    from memory.lines import parse_line
    from server.openai_export import line_of

    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None  # the parser says what is wrong, or that there is nothing
    if isinstance(fields, dict):
        text = json.dumps(line_of(fields, where, takes_preferred=args.preferred))
    line = parse_line(text, tenant, trust=False, origin=origin)
    if line is None:
        return None
    evidence = {**line.draft.evidence, "from": "openai"}
    draft = line.draft.model_copy(update={"evidence": evidence})
    return replace(line, draft=draft)


def _eval_of(name: str) -> dict[str, Any] | None:
    """Return the eval that a file is as a whole, None where it is of another kind."""
    from server.openai_export import eval_in

    if name == "-":
        raise CommandError("a file is needed, with a name that records can be traced to")
    with source(name) as (stream, _):
        head = stream.read(1 << 16)
        if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")) or _is_line(head):
            return None
        text = head + stream.read(MOST_EVAL_BYTES)
    return eval_in(text.decode("utf-8-sig", "replace"))


def _is_line(head: bytes) -> bool:
    """Whether the first line of a file is whole, and no eval: then it is a file of lines."""
    first = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return False
    is_page = isinstance(value, dict) and value.get("object") == "list"
    told = str(value)
    return not is_page and "testing_criteria" not in told and "data_source" not in told


def _named(where: Mapped, args: argparse.Namespace) -> Mapped:
    """Return where questions and answers stand, the flags having the last word."""
    from dataclasses import replace

    if args.question is not None:
        where = replace(where, question=args.question, template=None)
    return where if args.answer is None else replace(where, answer=args.answer)


def _advance(advance: Any, total: int | None, done: int) -> None:
    advance(done, total)


def _tell(
    args: argparse.Namespace, reports: dict[str, ImportReport], evals: Collection[str]
) -> None:
    if args.json:
        files = {name: report.model_dump(mode="json") for name, report in reports.items()}
        print_json({"dry_run": args.dry_run, "files": files})
        return
    for name, report in reports.items():
        if len(reports) > 1:
            print(f"{name}:")
        if name in evals and not (report.stored or report.failed or report.stopped):
            print("no items: it says what those of other files ask, and what is right")
            continue
        print_report(report, "whet import openai")
    if args.dry_run:
        print("nothing was stored: this was a dry run")
