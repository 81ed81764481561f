"""A generation of offline distillation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

from pydantic import Field

from adaptation.errors import DistillationError, InvalidOptionsError
from adaptation.evaluation.suites import SuiteError
from adaptation.learning.candidates.policies import Policy
from adaptation.learning.candidates.solutions import Bare
from adaptation.learning.distillation.archive import find_parent
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.pieces import Pieces
from adaptation.learning.distillation.replying import Replying
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.select import Selection
from adaptation.learning.distillation.spread import Spread
from adaptation.learning.distillation.target import Target, hard_enough, target_named
from adaptation.learning.training.offline import offline_engine
from adaptation.learning.training.process import ProcessTrainer, ResidentTrainer
from adaptation.learning.training.several import Several
from adaptation.learning.training.trainer import GeneratingTrainer
from memory.errors import NotFoundError
from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerOptions
from memory.lines.calls import calls_in
from memory.memory import LongTermMemory
from memory.types import AdapterVersion, Record, State
from memory.versions.release import Stage
from server.adapters.releasing import Autonomy, stage_once_passed
from server.config import Settings as ServerSettings
from server.jobs.device import device_name
from server.jobs.kind import JobFailedError
from server.jobs.means import obstacle
from server.jobs.of_base import OfBase
from server.jobs.studying import Student, studied
from server.jobs.targets import refusal_of
from server.jobs.work import OnProgress, Work
from server.models.size import size_of
from server.policy import refusals_of
from server.startup.fitting import beside_each_other, training_threads
from server.startup.machine import this_machine

VLLM = "server.engine.replying"
"""What is run where vLLM replies; it is not imported here."""


class DistillRequest(OfBase):
    """What a generation is asked to do."""

    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Chance of a false promotion in the whole run of generations."""
    anyway: bool = False
    """Go on where the last generations brought nothing."""
    policy: Policy | None = None
    """What chooses the records to learn from; None: by what earlier generations gained."""
    bare: Bare = "solve"
    """What becomes of corrections that are a bare answer."""
    dry_run: bool = False
    rebuild: str | None = None
    """The version that is to be trained again, less what was erased since."""
    autonomy: Autonomy | None = None
    """What is done with a version that passes the gate; None: as the settings have it."""
    parent: str | None = None
    """The version to be trained on from, by its id or its number; None: as the settings have it."""
    target: str | None = None
    """The suite, or world of it, whose development questions judge; None: the tenant's own."""
    student: Student | None = None
    """The base that learns in place of this one, which teaches it then."""
    ray: str | None = None
    """Address of the Ray cluster whose workers do it; None: as the settings have it."""
    replies: Literal["trainer", "vllm"] | None = None
    """What replies: the trainer's own decoder or vLLM's batches; None: as the settings have it."""


async def run(work: Work) -> dict[str, Any]:
    """Run a generation and return its report; a rejected candidate is a result too."""
    asked = DistillRequest.model_validate(work.job.request)
    with work.memory.alone(f"a distillation of tenant {work.job.tenant}"):
        report = await (_generation(work, asked) if asked.student is None else _study(work, asked))
    _tell(work, report)
    return report.model_dump(mode="json")


async def _generation(work: Work, asked: DistillRequest) -> GenerationReport:
    tenant, settings = work.job.tenant, _settings(work, asked)
    target = await asyncio.to_thread(_target, work, asked)
    async with _distilling(work, asked, settings, work.progress, target) as distiller:
        return await distiller.run(tenant, _rebuilt(work.memory, tenant, asked))


async def _study(work: Work, asked: DistillRequest) -> GenerationReport:
    """Have the student learn; who is asked of what is told before each phase."""
    assert asked.student is not None
    settings = _settings(work, asked).model_copy(update={"archive": False})
    modest = settings
    if asked.autonomy is None and _serves_another(work, asked.student.base_name):
        modest = settings.model_copy(update={"first": Stage.WAITING})

    def telling(who: str) -> OnProgress:
        return lambda phase, done, total: work.progress(f"{who}: {phase}", done, total)

    async with (
        _distilling(work, asked, settings, telling("teacher")) as teacher,
        _distilling(work, asked.student, modest, telling("student")) as student,
    ):
        report = await studied(work.job.tenant, (asked, teacher), (asked.student, student))
    for warning in report.warnings:
        work.tell(warning, "warn")
    return report


def _serves_another(work: Work, base: str) -> bool:
    """Whether the tenant's champion is of another base, which would not be served any more."""
    champion = work.memory.adapters.alias(work.job.tenant, "champion")
    return champion is not None and champion.base_model != base


def _target(work: Work, asked: DistillRequest) -> Target | None:
    """Return what is aimed at: a version that is rebuilt is judged as it was.

    What was nearly all answered is drawn more difficult.
    """
    if (why := refusal_of(asked.target, asked.rebuild)) is not None:
        raise JobFailedError(why)
    tenant, memory = work.job.tenant, work.memory
    try:
        if asked.rebuild is not None:
            before = memory.adapters.show(tenant, asked.rebuild).metrics.get("target")
            return target_named(before["name"], before.get("level")) if before else None
        if asked.target is None:
            return None
        return hard_enough(
            target_named(asked.target), memory.judgements.of(tenant, asked.base_name)
        )
    except SuiteError as error:
        raise JobFailedError(str(error)) from error


@asynccontextmanager
async def _distilling(
    work: Work,
    base: OfBase,
    settings: Settings,
    on_progress: OnProgress,
    target: Target | None = None,
) -> AsyncIterator[Distiller]:
    """Yield what runs generations on a base, which is loaded when it is first asked something."""
    trainer = _trainer(work, base)
    try:
        yield Distiller(
            records=work.memory,
            registry=work.memory.adapters,
            trainer=trainer,
            base_model=base.base_name,
            grade=gives_answer,
            settings=settings,
            on_progress=on_progress,
            judgements=work.memory.judgements,
            kept=work.memory.candidates,
            vectors=work.memory.questions.of_records,
            nearest=work.memory.windows.nearest,
            target=target,
            job=work.job.id,
        )
    finally:
        await trainer.close()


def _tell(work: Work, report: GenerationReport) -> None:
    """Say of the job what its tenant should know."""
    if report.drawn is not None:
        told = f"drawn among {report.drawn.among}, with a chance of {report.drawn.chance:.0%}"
        work.tell(f"trained on from {report.parent or 'the base'}: {told}", seed=report.drawn.seed)
    work.tell(f"{report.decision}: {'; '.join(report.reasons)}")
    work.metrics(0, _figures(report))
    for alarm in report.alarms:
        work.tell(alarm.message, "warn", monitor=alarm.monitor, value=alarm.value)


def _figures(report: GenerationReport) -> dict[str, Any]:
    returns = report.returns
    brought = {f"returns_{k}": v for k, v in returns.model_dump().items()} if returns else {}
    return {"real_share": report.real_share, "trained_on": report.train, **brought}


def _settings(work: Work, asked: DistillRequest) -> Settings:
    return Settings(
        selection=selection_of(work.settings),
        alpha=asked.alpha,
        anyway=asked.anyway,
        policy=asked.policy,
        bare=asked.bare,
        dry_run=asked.dry_run,
        refusals=refusals_of(work.settings),
        first=stage_once_passed(work.settings, asked.autonomy),
        parent=_parent(work.memory, work.job.tenant, asked),
        archive=work.settings.champion_archive,
    )


def _parent(memory: LongTermMemory, tenant: str, asked: DistillRequest) -> str | None:
    """Return the id of the version that is asked for."""
    if asked.parent is None or not asked.parent.isdecimal():
        return asked.parent
    found = memory.adapters.numbered(tenant, asked.base_name, int(asked.parent))
    if found is None:
        raise JobFailedError(f"{asked.base_name} has no version {asked.parent}")
    return found.id


def check_versions(memory: LongTermMemory, tenant: str, request: dict[str, Any]) -> None:
    """Raise `InvalidOptionsError` where a generation names a version that is not there."""
    asked = DistillRequest.model_validate(request)
    try:
        if asked.rebuild is not None:
            memory.adapters.show(tenant, asked.rebuild)
    except NotFoundError as error:
        raise InvalidOptionsError(f"`rebuild`: {error}", "rebuild") from error
    try:
        parent = _parent(memory, tenant, asked)
        find_parent(memory.adapters, tenant, asked.base_name, parent, draws=False)
    except (JobFailedError, DistillationError) as error:
        raise InvalidOptionsError(f"`parent`: {error}", "parent") from error


def _trainer(work: Work, base: OfBase) -> GeneratingTrainer:
    """Return what trains and replies: processes of this machine, or a cluster's workers."""
    address = work.job.request.get("ray") or work.settings.distill_ray
    replies = work.job.request.get("replies") or work.settings.distill_replies
    by_vllm = replies == "vllm"
    if (why := obstacle(address, replies)) is not None:
        raise JobFailedError(why)
    if by_vllm:
        work.tell("replies are drawn by vLLM's offline batches")
    if address is not None:
        from server.jobs.spreading import spread_over

        return spread_over(work, base, address, VLLM if by_vllm else None)
    device = work.settings.trainer_device
    trainer = make_trainer(base, device)
    return Replying(trainer, make_replier(base, device)) if by_vllm else trainer


def make_trainer(asked: OfBase, device: str) -> GeneratingTrainer:
    """Return the trainer process for the model, or some; they start when they are first needed."""
    size, machine = size_of(asked.model), this_machine()
    threads, n = training_threads(size, machine), beside_each_other(size, machine)
    make = partial(ProcessTrainer, asked.model, template=asked.template, device=device)
    # To look for an accelerator may take seconds.
    if machine.cores < 2 * threads or device_name(device) != "cpu":
        return make()
    each = [make(threads=threads) for _ in range(n)]
    return each[0] if n == 1 else Spread(Several(each), n, Pieces(None))


def make_replier(asked: OfBase, device: str) -> ResidentTrainer:
    """Return what has vLLM reply for the model, in a process that starts when it is needed."""
    return ResidentTrainer(offline_engine(VLLM, asked.model, asked.template, device))


def selection_of(settings: ServerSettings) -> Selection:
    """Return how much is selected, as the server is set."""
    return Selection(
        min_real_share=settings.min_real_share, max_written_share=settings.max_written_share
    )


def gives_answer(text: str, record: Record) -> bool:
    """Whether a generated text gives the record's answer."""
    found = calls_in(text) or extract(text, AnswerOptions())
    return found is not None and agree(found.key, canonical(record.answer))


def _rebuilt(memory: LongTermMemory, tenant: str, asked: DistillRequest) -> AdapterVersion | None:
    """Return the version to be trained again, retired now where it learned from what is erased."""
    if asked.rebuild is None:
        return None
    version = memory.adapters.show(tenant, asked.rebuild)
    if version.base_model != asked.base_name:
        raise JobFailedError(
            f"{version.id} was trained for {version.base_model}: add --model {version.base_model}"
        )
    states = {i: memory.get(tenant, i).state for i in version.record_ids}
    erased = [record_id for record_id, state in states.items() if state is State.ERASED]
    if version.retired is None and not erased:
        raise JobFailedError(
            f"{version.id} learned from nothing that is erased: nothing to rebuild"
        )
    if not asked.dry_run:
        reason = f"it learned from {', '.join(erased) or 'a version that is retired'}"
        memory.adapters.retire(tenant, [version.id], reason)
    return memory.adapters.show(tenant, version.id)
