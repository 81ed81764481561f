"""`whet`: finds the command, imports only that one, and turns every error into a line and a status.

Status 0: done. 1: failed. 2: asked wrongly. (130: interrupted, as shells have it.)
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import cast

from adaptation.child import end_if_spawned
from adaptation.errors import AdaptationError
from memory.errors import WhetMemoryError
from server.config import ConfigError
from server.startup.quiet import hush
from server.terminal import CommandError, OneLineParser, UsageError, complain
from server.version import installed_version

COMMANDS = {
    "serve": "serve a model over the OpenAI API (takes every vLLM serve flag)",
    "ask": "ask a running server one question, and see how the answer comes about",
    "chat": "talk to a running server; each answer with its votes and its cost",
    "demo": "a narrated tour: vote, train, distil, correct; two minutes on two cores",
    "eval": "run task suites and print a table with confidence intervals",
    "distill": "train what memory holds into the base adapter, if that is an improvement",
    "practise": "have the model solve exercises that are verified, for what it learns from",
    "rebase": "train the champion again on a new base model, from memory",
    "tune": "find the recipe of per-request training for a model",
    "adapters": "list, show, promote, roll back or reset distilled adapters",
    "models": "list models at hand, get one, say where it lies",
    "memory": "look at, import, export, review and repair the long-term memory",
    "import": "read what OpenAI lets you take along: fine-tuning files and evals",
    "keys": "create, list, revoke and rotate API keys, each of a tenant and a role",
    "tenants": "show and set what each tenant may use",
    "backup": "back up the data folder to one file, beside a running server",
    "restore": "put the data folder of a backup in place",
    "jobs": "list, show, cancel, pause and resume offline work, and read its logs",
    "ledger": "show what each strategy helped and hurt, at what price",
    "trace": "follow an answer to its records and adapter, and back",
    "doctor": "check this installation and say what to do about problems",
}
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Why a write fails that no defect has caused."""
TO_INSTALL = "run `make install` after an update of the sources, or install whet again"
MODULES = {"import": "import_openai"}
"""Modules of the commands whose names are keywords of Python."""
EXAMPLES = """\
examples:
  whet serve                        serve the built-in model on 127.0.0.1:8000
  whet serve Qwen/Qwen3-4B --strategy auto
  whet models get smollm2           a small real model, to serve as `whet serve smollm2`
  whet ask "What is 12 + 30?"       ask it, and see the votes fall
  whet memory import solved.jsonl   teach it what is already known
  whet distill                      turn memory into a better base adapter
  whet COMMAND --help               the command's own flags and examples
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_closed_streams()
    try:
        status = _dispatch(words)
        sys.stdout.flush()
    except SystemExit as end:  # argparse, after --help or a usage error
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (ConfigError, UsageError) as error:
        complain(error)
        return 2
    except (CommandError, WhetMemoryError, AdaptationError) as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:
        _print_no_more()
        return 1
    except Exception as error:
        if "--traceback" in words:
            raise
        if getattr(error, "errno", None) in FULL:
            _print_no_more()
        complain(_told(error))
        return 1
    return status


def _told(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"the package {error.name!r} is missing: {TO_INSTALL}"
    if isinstance(error, OSError) and error.errno in FULL:
        place = f"{error.filename} cannot be written" if error.filename else "writing failed"
        return f"{place}: {error.strerror}; make room, or write to another place"
    return f"a defect in Whet: {type(error).__name__}: {error}; add --traceback to see where"


def _open_closed_streams() -> None:
    """Read nothing from, and write nothing to, what the caller closed (`whet … <&-`)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nothing = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 as long as we
            setattr(sys, name, nothing)


def _print_no_more() -> None:
    """The reader has gone, or the disk is full: closing stdout at exit would complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    index, name = next(((i, w) for i, w in enumerate(words) if not w.startswith("-")), (0, ""))
    if name == "serve":
        # vLLM's own parser reads what follows, --help included.
        run = cast("Callable[[list[str]], int]", _command("serve").run)
        return run([word for word in words[index + 1 :] if word != "--traceback"])
    args = _parser(name).parse_args([word for word in words if word != "--traceback"])
    return cast("Callable[[argparse.Namespace], int]", args.run)(args)


def _parser(name: str) -> argparse.ArgumentParser:
    """Return the parser, with the flags of the one command that is going to run."""
    parser = OneLineParser(
        prog="whet",
        description="An OpenAI-compatible inference server that sharpens the model it serves.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"whet {installed_version()}")
    parser.add_argument("--traceback", action="store_true", help="show where a defect happened")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command, summary in COMMANDS.items():
        if command == name:
            _command(command).add_parser(subparsers)
        else:
            subparsers.add_parser(command, help=summary)
    return parser


def _command(name: str) -> ModuleType:
    return importlib.import_module(f"server.commands.{MODULES.get(name, name)}")


if end_if_spawned():  # the engine's processes, which import this module first
    hush()

if __name__ == "__main__":
    sys.exit(main())
