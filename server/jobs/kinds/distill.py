"""A generation of offline distillation."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.select import Selection
from adaptation.learning.training.process import ProcessTrainer
from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerOptions
from memory.lines.calls import calls_in
from memory.memory import LongTermMemory
from memory.types import AdapterVersion, Record, State
from server.config import Settings as ServerSettings
from server.jobs.kind import JobFailedError
from server.jobs.of_base import OfBase
from server.jobs.work import Work
from server.policy import refusals_of


class DistillRequest(OfBase):
    """What a generation is asked to do."""

    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Chance of a false promotion in the whole run of generations."""
    anyway: bool = False
    """Go on where the last generations brought nothing."""
    dry_run: bool = False
    rebuild: str | None = None
    """The version that is to be trained again, less what was erased since."""


async def run(work: Work) -> dict[str, Any]:
    """Run a generation and return its report; a rejected candidate is a result too."""
    asked = DistillRequest.model_validate(work.job.request)
    trainer = make_trainer(asked)
    distiller = Distiller(
        records=work.memory,
        registry=work.memory.adapters,
        trainer=trainer,
        base_model=asked.base_name,
        grade=gives_answer,
        settings=Settings(
            selection=selection_of(work.settings),
            alpha=asked.alpha,
            anyway=asked.anyway,
            dry_run=asked.dry_run,
            refusals=refusals_of(work.settings),
        ),
        on_progress=work.progress,
        judgements=work.memory.judgements,
        nearest=work.memory.windows.nearest,
    )
    try:
        with work.memory.alone(f"a distillation of tenant {work.job.tenant}"):
            rebuilt = _rebuilt(work.memory, work.job.tenant, asked)
            report = await distiller.run(work.job.tenant, rebuilt)
    finally:
        await trainer.close()
    work.metrics(0, {"real_share": report.real_share, "trained_on": report.train})
    for alarm in report.alarms:
        work.tell(alarm.message, "warn", monitor=alarm.monitor, value=alarm.value)
    return report.model_dump(mode="json")


def make_trainer(asked: DistillRequest) -> ProcessTrainer:
    """Return the trainer process for the model; it starts when it is first needed."""
    return ProcessTrainer(asked.model, template=asked.template)


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
