"""`whet distill`: one offline generation, from memory into the adapter that everybody is served."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerOptions
from memory.lines.calls import calls_in
from memory.types import State
from server.commands.common import (
    Subparsers,
    add_memory_arguments,
    command_parser,
    open_memory,
    settings_of,
)
from server.commands.template import (
    add_template_arguments,
    refuse_unknown_rendering,
    template_of,
)
from server.console import AdvancePhase, CommandError, phases, print_fields, write_json
from server.models.catalogue import BUILT_IN
from server.models.named import base_model, choose

if TYPE_CHECKING:
    from adaptation.learning.distillation.generation import Settings
    from adaptation.learning.distillation.report import GenerationReport
    from adaptation.learning.training.process import ProcessTrainer
    from memory.memory import LongTermMemory
    from memory.types import AdapterVersion, Record

EXAMPLES = """\
  whet distill --dry-run               what a generation would learn from
  whet distill                         train on the built-in model, promote what is better
  whet distill --model smollm2         on the model that `whet serve smollm2` serves
  whet distill --model Qwen/Qwen3-4B --json report.json
  whet distill --rebuild ad_0123456789ab   again, without what was erased since
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
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that runs a generation takes."""
    add_memory_arguments(parser, json=False)
    add_template_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="select and report, train nothing")
    parser.add_argument(
        "--alpha",
        type=_probability,
        default=0.05,
        help="the gate's p must lie below (default: .05)",
    )
    parser.add_argument(
        "--json", metavar="FILE", nargs="?", const="-", help="write the report; no FILE: to stdout"
    )


def run(args: argparse.Namespace) -> int:
    """Run one generation; a rejected candidate is a result too, with status 0."""
    from adaptation.learning.distillation.generation import Settings

    settings = Settings(alpha=args.alpha, dry_run=args.dry_run)
    args.model = choose(args.model, settings_of(args).data_dir).model
    refuse_unknown_rendering(args)
    job = f"a distillation of tenant {args.tenant}"
    with open_memory(args) as memory, memory.alone(job), phases() as advance:
        report = asyncio.run(_generation(memory, args, settings, advance))
    if args.json != "-":
        print_fields(fields_of(report))
    write_json(report.model_dump(mode="json"), args.json)
    return 0


def gives_answer(text: str, record: Record) -> bool:
    """Whether a generated text gives the record's answer."""
    found = calls_in(text) or extract(text, AnswerOptions())
    return found is not None and agree(found.key, canonical(record.answer))


def fields_of(report: GenerationReport) -> dict[str, object]:
    """Return a report as a person reads it, without what was not done."""
    tasks = ", ".join(f"{count} {task or '(no task)'}" for task, count in report.tasks.items())
    fields: dict[str, object] = {
        "decision": report.decision,
        "because": "; ".join(report.reasons),
        "trained on": f"{report.train} records: {tasks}",
        "judged by": f"{report.holdout} held-out questions",
        "left out": _left_out(report),
        "served before": report.current or "the base model",
    }
    if report.rebuilds:
        fields["in place of"] = f"{report.rebuilds}, without {report.gone} of its records"
    if report.adapter:
        fields["candidate"] = report.adapter
    if accuracy := report.accuracy:
        before = f"base {accuracy.base:.1%}, served {accuracy.current:.1%}"
        fields["held-out right"] = f"{before}, candidate {accuracy.candidate:.1%}"
    if guards := report.guards:
        fields["guard probes"] = f"{guards.known} known before, {len(guards.lost)} lost"
    if training := report.training:
        loss = " → ".join(f"{value:.3f}" for value in training.loss)
        fields["training"] = f"rank {training.rank}, {training.steps} steps, loss {loss}"
    return fields | {"seconds": f"{report.seconds:.1f}"}


def _left_out(report: GenerationReport) -> str:
    of_tiers = f"{report.unverified} records of tiers that may not train"
    if not report.unlearnable:
        return of_tiers
    return f"{of_tiers}, {report.unlearnable} that cannot be rendered: {report.obstacle}"


def make_trainer(args: argparse.Namespace) -> ProcessTrainer:
    """Return the trainer process for the model; it starts when it is first needed."""
    from adaptation.learning.training.process import ProcessTrainer

    return ProcessTrainer(args.model, template=template_of(args))


async def _generation(
    memory: LongTermMemory, args: argparse.Namespace, settings: Settings, advance: AdvancePhase
) -> GenerationReport:
    from adaptation.learning.distillation.generation import Distiller

    trainer = make_trainer(args)
    distiller = Distiller(
        records=memory,
        registry=memory.adapters,
        trainer=trainer,
        base_model=base_model(args.model),
        grade=gives_answer,
        settings=settings,
        on_progress=advance,
    )
    try:
        return await distiller.run(args.tenant, _rebuilt(memory, args))
    finally:
        await trainer.close()


def _rebuilt(memory: LongTermMemory, args: argparse.Namespace) -> AdapterVersion | None:
    """Return the version to be trained again, retired now where it learned from what is erased."""
    if args.rebuild is None:
        return None
    version = memory.adapters.show(args.tenant, args.rebuild)
    if version.base_model != base_model(args.model):
        raise CommandError(
            f"{version.id} was trained for {version.base_model}: add --model {version.base_model}"
        )
    states = {i: memory.get(args.tenant, i).state for i in version.record_ids}
    erased = [record_id for record_id, state in states.items() if state is State.ERASED]
    if version.retired is None and not erased:
        raise CommandError(f"{version.id} learned from nothing that is erased: nothing to rebuild")
    if not args.dry_run:
        reason = f"it learned from {', '.join(erased) or 'a version that is retired'}"
        memory.adapters.retire(args.tenant, [version.id], reason)
    return memory.adapters.show(args.tenant, version.id)


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return value
