"""What `whet eval` does: evaluate, compare, list, write examples."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from server.asking.target import key_of
from server.commands.common import settings_of
from server.commands.eval_choice import choice_of
from server.commands.eval_detached import detached
from server.models.named import check_model
from server.terminal import CommandError, UsageError, complain, print_table, write_json, write_text

if TYPE_CHECKING:
    from adaptation.evaluation.results import Results
    from server.commands.eval_choice import Choice


def run(args: argparse.Namespace) -> int:
    """Evaluate, compare or list; a poor score is a result too, with status 0."""
    from adaptation.evaluation.errors import EvaluationError
    from adaptation.evaluation.suites.errors import SuiteError
    from server.server_process import ServerFailedError

    try:
        if args.list:
            return _list()
        if args.compare:
            return _compare(args)
        if args.write_examples:
            return _write_examples(args)
        if args.detach:
            return detached(choice_of(args), args)
        return _evaluate(args)
    except (EvaluationError, SuiteError, ServerFailedError) as error:
        raise CommandError(str(error)) from error


def _evaluate(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    if args.model and not args.url:
        check_model(args.model, settings.data_dir)
    if args.calibrate:
        _prepare_calibration(args)
    choice = choice_of(args)
    if args.calibrate:
        _check_calibration(choice, args)
    _check_flags(choice, args)
    _check_output(args)
    key = _key(args)
    # A slip has been told by now, at a fraction of what these cost.
    from adaptation.evaluation.target import Target
    from server.commands import eval_run
    from server.commands.eval_calibrate import calibrate_from
    from server.commands.eval_server import own_server

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="whet-eval-")))
        url = args.url or stack.enter_context(
            own_server(args.model, args.adapter, settings, folder)
        )
        target = Target(url, args.model if args.url else None, key, args.timeout)
        results = asyncio.run(eval_run.evaluate(choice, target, settings, folder, args))
    _show(results, args)
    if args.calibrate:
        suites = {suite.name for suite in choice.suites}
        calibrate_from(results, suites, args.calibrate, settings, args.tenant)
    return 0


def _prepare_calibration(args: argparse.Namespace) -> None:
    """A bar is found on votes, and never on questions that it might be judged by."""
    if args.arms not in (None, ["consistency"]):
        raise UsageError("--calibrate looks at votes: it goes with no --strategy but consistency")
    if args.url or args.adapter:
        raise UsageError("--calibrate is about the model alone: give no --url and no --adapter")
    args.arms, args.development = ["consistency"], True


def _check_calibration(choice: Choice, args: argparse.Namespace) -> None:
    """Refuse to ask what could show nothing, and would take an older bar away."""
    from adaptation.voting.calibration import fewest

    votes, least = len(choice.suites) * args.questions, fewest(args.calibrate)
    if votes < least:
        raise UsageError(f"--calibrate takes {least} votes at least, not {votes}: raise -n")


def _check_flags(choice: Choice, args: argparse.Namespace) -> None:
    """Refuse what would otherwise be ignored, or found out only after the work."""
    from adaptation.evaluation.arms import ARMS

    if args.baseline and args.baseline not in ARMS:
        raise UsageError(f"no arm {args.baseline!r}: --baseline is one of {', '.join(choice.arms)}")
    if args.url and args.adapter:
        raise UsageError("--adapter is for a server of its own: --url serves what it serves")
    if args.tenant and not args.calibrate:
        raise UsageError("--tenant goes with --detach or --calibrate")
    if not args.url and args.teach:
        raise UsageError("--teach is for --url: a server of its own may always learn")


def _key(args: argparse.Namespace) -> str:
    """Return the key given; a server that this command starts takes the environment's."""
    return key_of(args.api_key, () if args.url else ("VLLM_API_KEY",)) or "none"


def _check_output(args: argparse.Namespace) -> None:
    """Find out before the work, not after it, that a picture cannot be drawn."""
    if args.picture and importlib.util.find_spec("matplotlib") is None:
        raise CommandError('a picture needs matplotlib: pip install "whet[eval]"')


def _show(results: Results, args: argparse.Namespace) -> None:
    from adaptation.evaluation.picture import draw
    from adaptation.evaluation.summary import summarise
    from server.commands.eval_report import markdown, print_summary

    summary = summarise(results, args.baseline)
    if args.markdown:
        print(markdown(summary, suites=True))
    elif args.json != "-":
        print_summary(summary)
    write_json(summary.as_json(), args.json)
    if args.picture:
        draw(summary, args.picture)


def _compare(args: argparse.Namespace) -> int:
    from adaptation.evaluation.compare import compare
    from adaptation.evaluation.results import load
    from server.commands.eval_report import print_comparison

    if args.markdown or args.picture:
        raise UsageError("--compare prints a table or --json, no Markdown and no picture")
    first, second = args.compare
    comparison = compare(load(first), load(second))
    if args.json != "-":
        same = first.name == second.name
        names = (str(first), str(second)) if same else (first.name, second.name)
        print_comparison(comparison, *names)
    write_json(comparison.as_json(), args.json)
    return 0


def _write_examples(args: argparse.Namespace) -> int:
    from adaptation.evaluation.examples import import_lines
    from server.commands.eval_run import plan_of

    plan = plan_of(choice_of(args), args)
    text = "".join(
        import_lines(world.examples, f"{world.suite.name}/{world.world}") for world in plan.worlds
    )
    write_text(text, args.write_examples)
    count, suites = text.count("\n"), dict.fromkeys(world.suite.name for world in plan.worlds)
    complain(
        f"{count} examples of {', '.join(suites)} are in {args.write_examples}: "
        f"`whet memory import {args.write_examples}` takes them in"
    )
    return 0


def _list() -> int:
    from adaptation.evaluation.arms import ARMS
    from adaptation.evaluation.suites import SUITES

    rows = [
        (s.name, s.group, f"{s.levels[0]}–{s.levels[-1]}, {s.default_level} by default")
        for s in SUITES.values()
    ]
    print_table(("suite", "group", "difficulty"), rows)
    print("rg:FAMILY           any family of reasoning-gym\n")
    print_table(("arm", "needs"), [(name, _needs(name)) for name in ARMS])
    return 0


def _needs(name: str) -> str:
    from adaptation.evaluation.arms import ARMS

    arm = ARMS[name]
    words = ("Whet" if arm.needs_whet else "", "examples" if arm.needs_examples else "")
    return " and ".join(filter(None, words)) or "any server"
