"""`whet serve`: vLLM's `serve`, sharpened."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from functools import partial
from typing import NoReturn

from server import engine_defaults
from server.config import ConfigError, Settings
from server.cpu_defaults import told
from server.fitting import Fit
from server.flags import DEST_PREFIX, add_arguments, flags_of, print_config, take_config
from server.hiding import hidden, hide_in_logs
from server.models.catalogue import BUILT_IN
from server.models.named import base_model, check_model
from server.setting_sources import Resolved, resolve
from server.telemetry.lines import set_up
from server.terminal import CommandError, OneLineParser, complain, unrecognized

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


def run(argv: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    engine_defaults.prepare_environment()
    toml_path, rest = take_config(argv)
    # What can be checked before vLLM takes its seconds to import is checked before.
    words = _early(rest)
    early = resolve(flags_of(words), os.environ, toml_path)
    if model := words.model or (rest[0] if rest and not rest[0].startswith("-") else None):
        check_model(model, early.settings.data_dir)
    parser = _parser()
    _refuse_abbreviations(rest, parser)
    args = parser.parse_args(rest)
    resolved = resolve(flags_of(args), os.environ, toml_path)
    if args.print_config:
        print_config(resolved)
        return 0
    from server.engine import launch

    fitted = engine_defaults.complete(args, resolved.settings, launch.on_cpu())
    settings = with_deadline(resolved, fitted)
    if base_model(args.model) == BUILT_IN:
        launch.allow_spaces_in_json(args)
    launch.set_up_logging(args, settings.log_format)
    set_up(settings.log_format)
    hide_in_logs()  # of handlers that an operator's own configuration of vLLM's log brought
    try:
        launch.validate(args)
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from error
    say = complain if settings.log_format == "text" else logger.info
    say(f"loading {args.model}, about half a minute on a CPU")
    if fitted is not None:
        say(f"{told(args, os.environ)}; {_deadline(settings)}")
    return _served(args, settings, fitted)


def _served(args: argparse.Namespace, settings: Settings, fitted: Fit | None) -> int:
    """Serve until the end, and return the exit code."""
    import uvloop

    from server.app import run_server

    try:
        uvloop.run(run_server(args, settings, fitted.training_threads if fitted else None))
    except OSError as error:  # vLLM's, of a model that is not where its name says
        advice = "`whet models list` shows what is at hand."
        raise CommandError(f"{args.model} cannot be served: {error} {advice}") from error
    except KeyboardInterrupt:
        return 130
    (complain if settings.log_format == "text" else logger.info)("stopped")
    _silence_teardown()
    return 0


def _early(words: list[str]) -> argparse.Namespace:
    """Return the model and Whet's own settings; nothing of what is vLLM's is refused.

    vLLM's parser, which reads all of it again, takes seconds.
    """
    parser = OneLineParser(prog="whet serve", add_help=False)
    parser.add_argument("--model")
    add_arguments(parser)
    flags = parser._option_string_actions
    known = [_dashed(word) if _dashed(word).partition("=")[0] in flags else word for word in words]
    found, _ = argparse.ArgumentParser.parse_known_args(parser, known)
    return found


def _dashed(word: str) -> str:
    """Return a flag as it is written here; vLLM's parser takes `_` for `-` as well."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value


def with_deadline(resolved: Resolved, fitted: Fit | None) -> Settings:
    """Return the settings, with the deadline that suits the model where nobody set one."""
    if fitted is None or resolved.sources["wall_s"] != "default":
        return resolved.settings
    return resolved.settings.model_copy(update={"wall_s": fitted.wall_s})


def _deadline(settings: Settings) -> str:
    wall_s = settings.wall_s
    return f"a vote ends after {wall_s:.0f} s" if wall_s else "a vote has no deadline"


def _parser() -> argparse.ArgumentParser:
    from server.engine import launch

    parser: argparse.ArgumentParser = launch.make_parser(EXAMPLES)
    add_arguments(parser)
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print Whet's settings with their sources, and exit",
    )
    parser.set_defaults(model=None, **engine_defaults.flags_for(launch.on_cpu()))
    parser.error = partial(_one_line, parser)  # type: ignore[method-assign]
    return parser


def _refuse_abbreviations(words: list[str], parser: argparse.ArgumentParser) -> None:
    """Take Whet's flags by their whole names only; vLLM's are taken as vLLM takes them."""
    flags = parser._option_string_actions
    ours = {name for name, action in flags.items() if action.dest.startswith(DEST_PREFIX)}
    for word in words:
        name = _dashed(word).partition("=")[0]
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
