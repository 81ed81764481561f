"""`whet memory`: the flags of its sub-commands; what they do stands in the files it names."""

from __future__ import annotations

from memory.types import State
from server.commands import memory_files, memory_records
from server.commands.common import (
    Subparsers,
    add_memory_arguments,
    add_origin_arguments,
    command_parser,
    number_between,
)
from server.commands.doing import add_detach
from server.commands.memory_erasing import ERASING

EXAMPLES = """\
  whet memory stats
  whet memory list --state quarantined --json
  whet memory import solved.jsonl
  whet memory export backup.jsonl
  whet memory review --accept rec_0123456789
  whet memory edit rec_0123456789 --answer 14
  whet memory forget rec_0123456789
  whet memory certificate rec_0123456789 --out erased.json
"""
IMPORT_EXAMPLES = """\
  whet memory import solved.jsonl
  whet memory import alpaca_data.json
  whet memory import gsm8k.jsonl --licence MIT --provenance "GSM8K, github.com/openai"
  whet memory import large.jsonl --detach      by the server of this data folder
  zstdcat solved.jsonl.zst | whet memory import -

a line has one of these forms; a key that a form does not know is refused by name:
  {"question": "2 + 3?", "answer": "5", "rationale": "2+3=5. #### 5"}     GSM8K: no rationale
  {"messages": [{"role": "user", ...}, {"role": "assistant", ...}]}       OpenAI, with tools too
  {"conversations": [{"from": "human", "value": ...}, ...]}               ShareGPT
  {"instruction": "Add.", "input": "2 3", "output": "5"}                  Alpaca
  {"prompt": "2 + 3?", "completion": "5"}
  what `whet memory export` writes
any line may say its own "licence" and "provenance"
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet memory` and its sub-commands."""
    summary = "look at, import, export, review and repair the long-term memory"
    parser = command_parser(subparsers, "memory", summary, EXAMPLES)
    below = parser.add_subparsers(metavar="ACTION", required=True)
    for add in (_stats, _list, _show, _import, _export, _review, *_CHANGES, _rebuild, *ERASING):
        add(below)


def _stats(below: Subparsers) -> None:
    parser = command_parser(below, "stats", "count what is remembered", "  whet memory stats\n")
    add_memory_arguments(parser)
    parser.set_defaults(run=memory_records.stats)


def _list(below: Subparsers) -> None:
    examples = (
        "  whet memory list --task algebra --limit 20\n"
        '  whet memory list -q "train leaves"\n'
        "  whet memory list --after ID             the next page, ID being the last of this one\n"
        "  whet memory list --state quarantined --json\n"
    )
    parser = command_parser(below, "list", "list records, newest first", examples)
    add_memory_arguments(parser)
    parser.add_argument("--state", choices=[s.value for s in State], help="only in this state")
    parser.add_argument("--task", help="only of this task")
    parser.add_argument("-q", "--query", help="only where question or answer contains this")
    parser.add_argument(
        "--limit", type=number_between(1, 1000), default=50, help="at most (default: 50)"
    )
    parser.add_argument("--after", metavar="ID", help="continue after this record")
    parser.set_defaults(run=memory_records.list_records)


def _show(below: Subparsers) -> None:
    examples = "  whet memory show rec_0123456789\n"
    parser = command_parser(below, "show", "show one record in full", examples)
    add_memory_arguments(parser)
    parser.add_argument("id", metavar="ID")
    parser.set_defaults(run=memory_records.show)


def _import(below: Subparsers) -> None:
    parser = command_parser(below, "import", "read records from JSONL", IMPORT_EXAMPLES)
    add_memory_arguments(parser)
    parser.add_argument(
        "file",
        metavar="FILE",
        help="JSONL or a JSON array, packed with gzip or not; - for standard input",
    )
    parser.add_argument(
        "--trust", action="store_true", help="keep the tiers and states the file claims"
    )
    add_origin_arguments(parser)
    add_detach(parser)
    parser.set_defaults(run=memory_files.import_file)


def _export(below: Subparsers) -> None:
    examples = "  whet memory export backup.jsonl\n  whet memory export | wc -l\n"
    parser = command_parser(below, "export", "write records as JSONL", examples)
    add_memory_arguments(parser, json=False)
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="default: stdout")
    parser.set_defaults(run=memory_files.export_file)


def _review(below: Subparsers) -> None:
    examples = (
        "  whet memory review                      list what waits for a decision\n"
        "  whet memory review --accept ID ID       make them active\n"
        "  whet memory review --reject ID          never use it\n"
    )
    parser = command_parser(below, "review", "decide on records that are held back", examples)
    add_memory_arguments(parser)
    parser.add_argument("--accept", metavar="ID", nargs="+", default=[], help="make active")
    parser.add_argument("--reject", metavar="ID", nargs="+", default=[], help="expire")
    parser.set_defaults(run=memory_records.review)


def _quarantine(below: Subparsers) -> None:
    examples = '  whet memory quarantine rec_0123456789 --reason "the unit is wrong"\n'
    parser = command_parser(below, "quarantine", "take records out of use", examples)
    add_memory_arguments(parser)
    parser.add_argument("ids", metavar="ID", nargs="+")
    parser.add_argument("--reason", default="quarantined by hand", help="kept in the event log")
    parser.set_defaults(run=memory_records.quarantine)


def _edit(below: Subparsers) -> None:
    examples = (
        "  whet memory edit rec_0123456789 --answer 14\n"
        '  whet memory edit rec_0123456789 --rationale "12 + 7 - 5 = 14. #### 14"\n'
    )
    parser = command_parser(below, "edit", "correct a record's answer or its solution", examples)
    add_memory_arguments(parser)
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--answer", help="the right answer")
    parser.add_argument("--rationale", help="a solution that ends in it (default: the new answer)")
    parser.set_defaults(run=memory_records.edit)


def _rebuild(below: Subparsers) -> None:
    examples = (
        "  whet memory rebuild\n"
        "  whet memory rebuild --detach     by the server, with its embedder\n"
    )
    parser = command_parser(below, "rebuild", "rebuild the index from the database", examples)
    add_memory_arguments(parser)
    add_detach(parser)
    parser.set_defaults(run=memory_files.rebuild)


_CHANGES = (_quarantine, _edit)
