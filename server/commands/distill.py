"""`whet distill`: one offline generation, from memory into the adapter that everybody is served."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from server.commands.by_whom import add_by_whom_arguments, refuse_missing
from server.commands.common import (
    Subparsers,
    add_json_file,
    add_memory_arguments,
    check_suite,
    command_parser,
    open_memory,
    settings_of,
)
from server.commands.doing import add_detach, done_here, say_detached
from server.commands.scheduling import add_schedule_arguments, scheduled
from server.commands.student import (
    add_student_argument,
    print_comparison,
    refuse_with_student,
    student_of,
)
from server.commands.template import (
    add_template_arguments,
    refuse_unknown_rendering,
    template_of,
    whole_path,
)
from server.commands.told_choice import chosen_fields
from server.commands.told_judgement import judged_fields
from server.jobs.limits import MOST_OPEN
from server.models.catalogue import BUILT_IN
from server.models.named import base_model, choose
from server.terminal import UsageError, print_fields, write_json

if TYPE_CHECKING:
    from adaptation.learning.distillation.report import GenerationReport, Guards
    from memory.memory import LongTermMemory
    from memory.offline.job import NewJob

EXAMPLES = """\
  whet distill --dry-run               what a generation would learn from
  whet distill                         train on the built-in model, promote what is better
  whet distill --model smollm2         on the model that `whet serve smollm2` serves
  whet distill --model Qwen/Qwen3-4B --json report.json
  whet distill --detach                leave it to the server of this data folder
  whet distill --schedule "0 3 * * *" --when 50     at 3:00 UTC, if 50 records are new
  whet distill --rebuild ad_0123456789ab   again, without what was erased since
  whet distill --parent 3              trained on from the third version
  whet distill --target house_rules/507    judged by this suite's development questions
  whet distill --model smollm2 --student whet-pebble   have a smaller model learn it
  whet distill --ray                   by the workers of the Ray cluster of this machine
  whet distill --ray 10.0.0.5:6379 --distill-workers 8    by eight, of another cluster
  whet distill --replies vllm          replies by vLLM's offline batches
  whet distill --autonomy approve      where it passes, it waits for `whet adapters approve`
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet distill`."""
    summary = "train what memory holds into the base adapter, if that is an improvement"
    parser = command_parser(subparsers, "distill", summary, EXAMPLES)
    add_arguments(parser)
    parser.add_argument(
        "--model",
        default=BUILT_IN,
        help="the model that is served: a name, a folder or a .gguf file (default: whet-pebble)",
    )
    parser.add_argument(
        "--rebuild",
        metavar="ADAPTER",
        help="train a version again, from its own records less those erased since",
    )
    parser.add_argument(
        "--parent",
        metavar="VERSION",
        help="train on from a version, by id or number (default: the base, or champion_archive)",
    )
    parser.add_argument(
        "--target",
        metavar="SUITE",
        help="aim at a suite of `whet eval --list`, or a world of it such as house_rules/507: "
        "records near it first, judged by its development questions",
    )
    add_student_argument(parser)
    add_schedule_arguments(parser)
    parser.set_defaults(run=run_or_schedule)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that runs a generation takes."""
    own = {"min_real_share", "max_written_share", "distill_workers"}
    add_memory_arguments(parser, json=False, settings=own)
    add_template_arguments(parser)
    add_detach(parser)
    parser.add_argument("--dry-run", action="store_true", help="select and report, train nothing")
    parser.add_argument(
        "--alpha",
        type=_probability,
        default=0.05,
        help="chance of a false promotion in the whole run of generations (default: .05)",
    )
    parser.add_argument(
        "--anyway", action="store_true", help="go on where the last generations brought nothing"
    )
    parser.add_argument(
        "--autonomy",
        choices=("suggest", "approve", "auto"),
        help="what is done with a version that passes the gate (default: champion_autonomy)",
    )
    parser.add_argument(
        "--policy",
        choices=["all", "frontier", "coverage", "influence", "surprise"],
        help="what chooses the records to learn from (default: by what earlier ones gained)",
    )
    parser.add_argument(
        "--bare",
        choices=["solve", "learn", "leave"],
        default="solve",
        help="corrections that are a bare answer: have the model write a solution (the default), "
        "learn them as they are, or leave them out",
    )
    add_by_whom_arguments(parser)
    add_json_file(parser, "the report")


def run_or_schedule(args: argparse.Namespace) -> int:
    """Run a generation, or have the server run them again and again."""
    refuse_with_student(args)
    if args.target and not args.rebuild:
        check_suite(args.target.partition("/")[0])
    if args.schedule is None and args.when is None:
        return run(args)
    if args.rebuild or args.json or args.detach:
        raise UsageError("--schedule and --when go with none of --rebuild, --json and --detach")
    args.model = choose(args.model, settings_of(args).data_dir).model
    refuse_unknown_rendering(args)
    with open_memory(args, create=True) as memory:
        return scheduled(memory, args, _asked(args, memory))


def run(args: argparse.Namespace) -> int:
    """Run one generation; a rejected candidate is a result too, with status 0."""
    settings = settings_of(args)
    args.model = choose(args.model, settings.data_dir).model
    refuse_unknown_rendering(args)
    if not args.detach:  # else the server's own installation counts
        refuse_missing(args, settings)
    with open_memory(args, create=args.detach) as memory:
        job = memory.jobs.create(_asked(args, memory), MOST_OPEN)
        if args.detach:
            return say_detached(job)
        report = _report_of(args, done_here(memory, settings, job))
    write_json(report.model_dump(mode="json"), args.json)
    return 0


def _report_of(args: argparse.Namespace, result: dict[str, Any]) -> GenerationReport:
    """Return what came of the job, and print it where a person reads it."""
    from adaptation.learning.distillation.comparison import StudentReport, report_in

    report = report_in(result)
    if args.json != "-":
        print_fields(fields_of(report))
        if isinstance(report, StudentReport):
            print_comparison(report, args)
    return report


def _asked(args: argparse.Namespace, memory: LongTermMemory) -> NewJob:
    from memory.offline.job import JobKind, NewJob
    from server.jobs.kinds.distill import DistillRequest, check_versions
    from server.jobs.targets import refusal_of

    if (why := refusal_of(args.target, args.rebuild)) is not None:
        raise UsageError(why)
    asked = DistillRequest(
        model=whole_path(args.model),
        base=base_model(args.model),
        template=template_of(args),
        alpha=args.alpha,
        anyway=args.anyway,
        policy=args.policy,
        bare=args.bare,
        dry_run=args.dry_run,
        rebuild=args.rebuild,
        autonomy=args.autonomy,
        parent=args.parent,
        target=args.target,
        student=student_of(args),
        ray=args.ray,
        replies=args.replies,
    )
    request = asked.model_dump(mode="json")
    check_versions(memory, args.tenant, request)
    return NewJob(tenant=args.tenant, kind=JobKind.DISTILL, request=request)


def fields_of(report: GenerationReport) -> dict[str, object]:
    """Return a report as a person reads it, without what was not done."""
    tasks = ", ".join(f"{count} {task or '(no task)'}" for task, count in report.tasks.items())
    trained = "would be trained on" if report.decision == "dry_run" else "trained on"
    fields: dict[str, object] = {
        "decision": report.decision,
        "because": "; ".join(report.reasons),
        trained: f"{report.train} records: {tasks}",
        "of these asked or brought by people": _real(report),
        "left out": _left_out(report),
        "served before": report.current or "the base model",
    }
    fields |= chosen_fields(report)
    if report.doubts:
        fields["held for review"] = f"{len(report.doubts)} records: see `whet memory review`"
    if report.teacher:
        fields["taught by"] = report.teacher
    if report.stage:
        fields["stage"] = report.stage
    if report.parent or report.drawn:
        fields["trained on from"] = _grown(report)
    if report.rebuilds:
        fields["in place of"] = f"{report.rebuilds}, without {report.gone} of its records"
    if report.adapter:
        fields["candidate"] = report.adapter
    fields |= judged_fields(report) | _vetted(report) | _watched(report)
    if training := report.training:
        loss = " → ".join(f"{value:.3f}" for value in training.loss)
        fields["training"] = f"rank {training.rank}, {training.steps} steps, loss {loss}"
    return fields | {"seconds": f"{report.seconds:.1f}"}


def _watched(report: GenerationReport) -> dict[str, object]:
    """Return what the generation brought for its cost, and the alarms."""
    fields: dict[str, object] = {}
    if returns := report.returns:
        by_cost = f"{returns.per_hour:+.1f} an hour, {returns.per_million_tokens:+.1f} a million"
        fields["return"] = f"{returns.points:+.1f} points: {by_cost} tokens trained on"
    return fields | {f"alarm: {alarm.monitor}": alarm.message for alarm in report.alarms}


def _grown(report: GenerationReport) -> str:
    parent = report.parent or "the base"
    if report.drawn is None:
        return parent
    return f"{parent}, drawn among {report.drawn.among} with seed {report.drawn.seed}"


def _real(report: GenerationReport) -> str:
    sources = ", ".join(f"{count} {source}" for source, count in report.sources.items())
    return f"{report.real_share or 0:.0%} ({sources})"


def _vetted(report: GenerationReport) -> dict[str, object]:
    """Return what the guards found, of those that were asked."""
    fields: dict[str, object] = {
        name: _guards_told(guards)
        for name, guards in (("near guards", report.near_guards), ("guard probes", report.guards))
        if guards
    }
    if sampled := report.sampled:
        passed, different = sampled.passed, sampled.different
        fields["sampled"] = (
            f"pass@{sampled.k} {passed[0]} → {passed[1]} of {sampled.asked}, different replies "
            f"{different[0]:.1f} → {different[1]:.1f} of {sampled.k}"
        )
        if sampled.divergence is not None:
            fields["from the base"] = f"{sampled.divergence:.3f} nats a token on guard probes"
    if report.refusal_shift is not None:
        fields["refusals"] = f"lost {report.refusal_shift:.2f} nats a token against complying"
    return fields


def _guards_told(guards: Guards) -> str:
    told = f"{guards.known} known before, {len(guards.lost)} lost"
    if guards.gained:
        told += f", {sum(guards.gained.values())} others gained"
    if guards.length is not None:
        told += f", replies {guards.length:.2f} times as long"
    return f"{told}; of {', '.join(guards.unknown)} none is known" if guards.unknown else told


def _left_out(report: GenerationReport) -> str:
    of_tiers = f"{report.unverified} records of tiers that may not train"
    if practice := report.practice_left_out:
        of_tiers += f", {practice} of practice so that real ones keep their share"
    if not report.unlearnable:
        return of_tiers
    return f"{of_tiers}, {report.unlearnable} that cannot be rendered: {report.obstacle}"


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return value
