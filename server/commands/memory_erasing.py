"""`whet memory forget | certificate | verify`: the flags of what erases and of what shows it."""

from __future__ import annotations

import argparse

from server.commands import memory_erasure, memory_files
from server.commands.common import (
    Subparsers,
    add_folder_arguments,
    add_memory_arguments,
    add_tenant_argument,
    command_parser,
)
from server.terminal import UsageError


def _forget(below: Subparsers) -> None:
    examples = (
        "  whet memory forget rec_0123456789                   asks first\n"
        "  whet memory forget rec_0123456789 --yes\n"
        "  whet memory forget rec_0123456789 --keep-adapters   what learned from it goes on\n"
    )
    parser = command_parser(below, "forget", "erase records irrecoverably", examples)
    add_memory_arguments(parser)
    parser.add_argument("ids", metavar="ID", nargs="+")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--keep-adapters",
        action="store_true",
        help="do not retire the adapter versions that learned from them",
    )
    parser.set_defaults(run=memory_erasure.forget)


def _certificate(below: Subparsers) -> None:
    examples = (
        "  whet memory certificate rec_0123456789 --out erased.json\n"
        "  whet memory certificate --check erased.json\n"
        "  whet memory certificate --check erased.json --key PUBLIC   where the folder is not\n"
        "  whet memory certificate --public-key\n"
    )
    summary = "a signed statement of what an erasure removed; check one"
    parser = command_parser(below, "certificate", summary, examples)
    add_tenant_argument(parser, "whose record")
    add_folder_arguments(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("id", metavar="ID", nargs="?", help="an erased record")
    what.add_argument("--check", metavar="FILE", help="whether it is signed, and unchanged")
    what.add_argument("--public-key", action="store_true", help="print it, for whoever checks")
    parser.add_argument("--key", metavar="HEX", help="the public key it has to be signed by")
    parser.add_argument("--out", metavar="FILE", help="write the certificate, as JSON")
    parser.set_defaults(run=memory_erasure.certify)


def _verify(below: Subparsers) -> None:
    examples = (
        "  whet memory verify && echo sound\n"
        "  whet memory verify --forgotten                      asks for the text\n"
        '  whet memory verify --forgotten --canary "the text"  shells keep it in their history\n'
        "  whet memory verify --forgotten < text.txt\n"
    )
    summary = "compare the index with the database, or look for a text that was erased"
    parser = command_parser(below, "verify", summary, examples)
    add_memory_arguments(parser)
    parser.add_argument(
        "--forgotten",
        action="store_true",
        help="look for a text in every file of the data folder; status 1 where it is found",
    )
    parser.add_argument("--canary", metavar="TEXT", help="the text (default: from standard input)")
    parser.set_defaults(run=_verified)


def _verified(args: argparse.Namespace) -> int:
    if args.canary is not None and not args.forgotten:
        raise UsageError("--canary is what --forgotten looks for: add that")
    return memory_erasure.verify(args) if args.forgotten else memory_files.verify(args)


ERASING = (_forget, _certificate, _verify)
