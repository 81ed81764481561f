"""`whet distill --student`: what it goes with, and what came of it as a person reads it."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from server.commands.common import settings_of
from server.commands.template import refuse_renderer, whole_path
from server.models.named import base_model, choose
from server.settings.flags import DEST_PREFIX
from server.terminal import UsageError, print_fields, print_table

if TYPE_CHECKING:
    from adaptation.learning.distillation.comparison import Arm, Evidence, StudentReport
    from server.jobs.studying import Student

COLUMNS = ("", "model", "parameters", "on disk", "tokens/s", "s/reply", "right", "95 %")
MB = 1_000_000


def add_student_argument(parser: argparse.ArgumentParser) -> None:
    """Add the flag."""
    parser.add_argument(
        "--student",
        metavar="MODEL",
        help="have a smaller model learn it, and hold it against --model: size, speed, accuracy",
    )


def refuse_with_student(args: argparse.Namespace) -> None:
    """Raise `UsageError` for flags that mean nothing for a student."""
    given = {
        "--rebuild": args.rebuild,
        "--parent": args.parent,
        "--schedule": args.schedule,
        "--when": args.when,
        "--target": args.target,
    }
    for flag, value in given.items():
        if args.student is not None and value is not None:
            raise UsageError(f"--student does not go with {flag}")


def student_of(args: argparse.Namespace) -> Student | None:
    """Return the model that is to learn; raises `ConfigError` where there is none so called."""
    from server.jobs.studying import Student

    if args.student is None:
        return None
    model = choose(args.student, settings_of(args).data_dir).model
    refuse_renderer(model, "auto")
    return Student(model=whole_path(model), base=base_model(model), named=args.student)


def print_comparison(report: StudentReport, args: argparse.Namespace) -> None:
    """Print the models side by side, and how the student is served."""
    if report.comparison is not None:
        print()
        print_table(COLUMNS, [_row(arm) for arm in report.comparison.arms])
        print()
        against = [_against(each) for each in report.comparison.evidence]
        print_fields({f"against {name}": told for name, told in against})
    warned: dict[str, object] = {"warning": "; ".join(report.warnings)} if report.warnings else {}
    print_fields(warned | _served(report, args))


def _row(arm: Arm) -> tuple[object, ...]:
    return (
        arm.name,
        arm.model,
        None if arm.parameters is None else f"{arm.parameters:,}",
        None if arm.bytes is None else f"{arm.bytes / MB:,.1f} MB",
        None if arm.tokens_per_s is None else f"{arm.tokens_per_s:,.0f}",
        f"{arm.seconds_per_reply:.3f}",
        f"{arm.right} of {arm.asked}",
        f"{arm.low:.0%} to {arm.high:.0%}",
    )


def _against(evidence: Evidence) -> tuple[str, str]:
    points = [f"{100 * value:+.0f}" for value in (evidence.difference, evidence.low, evidence.high)]
    return evidence.against, (
        f"{evidence.helped} helped, {evidence.hurt} hurt (p = {evidence.p_value:.2g}); "
        f"{points[0]} points, 95 % {points[1]} to {points[2]}"
    )


def _served(report: StudentReport, args: argparse.Namespace) -> dict[str, object]:
    """Say what command serves the student, or what is in the way."""
    folder = _folder(args)
    serve = f"`{report.serve}{folder}`"
    if report.decision == "dry_run":
        return {}
    if report.decision == "rejected":
        tries = f"--model {shlex.quote(args.student)} --adapter {report.adapter}{folder}"
        told = f"nothing: it was rejected, and {serve} answers as the base; `whet eval {tries}`"
        return {"served by": f"{told} tries it"}
    fields: dict[str, object] = {"served by": serve + _then(report, folder)}
    if report.displaced:
        way_back = "`whet adapters rollback` has it again"
        fields["no longer served"] = f"{report.displaced}, champion of another model: {way_back}"
    return fields


def _then(report: StudentReport, folder: str) -> str:
    """Say what is left to do until it is served."""
    from memory.versions.release import UNAPPROVED

    if report.stage in UNAPPROVED:
        approve = f"`whet adapters approve {report.adapter}{folder}`"
        return f", once {approve} has made it the champion"
    if report.decision == "passed":
        return f", as its release goes on (stage {report.stage})"
    return ""


def _folder(args: argparse.Namespace) -> str:
    """Return the flag that names the data folder, where it was given."""
    given = getattr(args, f"{DEST_PREFIX}data_dir", None)
    return "" if given is None else f" --data-dir {shlex.quote(str(given))}"
