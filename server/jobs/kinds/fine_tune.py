"""Supervised fine-tuning on a client's files: look at them, train, tell what was lost, name it."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from adaptation.conversation import Conversation
from adaptation.learning.distillation.guards import PROBES, GuardOutcome
from adaptation.learning.finetuning.plan import Plan, planned
from adaptation.learning.finetuning.tuning import Checkpoint, FineTuning
from adaptation.learning.training.chat import Template
from adaptation.learning.training.process import ProcessTrainer
from memory.errors import NotFoundError
from memory.files import NewFile
from memory.job import Wish
from memory.model_names import is_model_name
from memory.types import AdapterVersion
from server.finetuning.examples import Example, InvalidFileError, read_examples
from server.finetuning.forms import FineTuneRequest
from server.finetuning.objects import VALIDATING
from server.jobs.kinds.kind import JobFailedError
from server.jobs.work import Work

KEPT_CHECKPOINTS = 3
"""The last ones, as at OpenAI."""
MOST_TOKENS = 2_048
"""Of an example: a longer one loses its oldest turns. A shorter context of the model's wins."""
MOST_STEPS_TOLD = 500
"""Of a job, as events: of more steps every second, or third."""
PROBE_TOKENS = 64
TIMEOUT_S = 3_600.0
UNJUDGED = "fine-tuned"
"""In place of a gate's decision: nothing that was not promoted takes a champion's place."""
RESULTS = "fine-tune-results"
"""The purpose of the file of figures."""
FIGURES = (
    "train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy",
    "full_valid_loss", "full_valid_mean_token_accuracy",
)  # fmt: skip


async def run(work: Work) -> dict[str, Any]:
    """Fine-tune, and return what came of it: the model's name, checkpoints, figures."""
    asked = FineTuneRequest.model_validate(work.job.request)
    trainer = make_trainer(asked)
    job = _Job(work, asked, trainer)
    try:
        return await job.run()
    except asyncio.CancelledError:
        await job.withdraw()
        raise
    finally:
        await trainer.close()


def make_trainer(asked: FineTuneRequest) -> ProcessTrainer:
    """Return the trainer process for the model; it starts when it is first needed."""
    return ProcessTrainer(asked.folder, template=Template.model_validate(asked.template))


class _Job:
    """One fine-tuning under way."""

    def __init__(self, work: Work, asked: FineTuneRequest, trainer: ProcessTrainer) -> None:
        self._work, self._asked, self._trainer = work, asked, trainer
        self._memory, self._tenant = work.memory, work.job.tenant
        self._kept: dict[str, Any] = dict(work.job.result or {})
        self._parent: AdapterVersion | None = None
        self._naming: asyncio.Future[AdapterVersion] | None = None

    async def run(self) -> dict[str, Any]:
        # 1. What is to be learned.
        training, validation = await self._examples()
        self._parent = await asyncio.to_thread(self._tuned_further)
        parent = self._parent.path if self._parent else None
        plan = self._planned(len(training))
        # 2. What the model knows by now.
        before = await self._replies(parent)
        # 3. The descent, with a checkpoint after every epoch.
        tuning = FineTuning(
            trainer=self._trainer,
            training=training,
            validation=validation,
            plan=plan,
            folder=self._work.folder,
            parent=parent,
            on_step=self._on_step(plan),
            on_checkpoint=self._on_checkpoint,
        )
        self._work.tell("Fine-tuning job started")
        last, folder = await tuning.run()
        # 4. What it lost, and the model.
        guards = await self._guarded(before, str(folder))
        version = await self._registered(last, folder, self._asked.name, guards)
        result = await asyncio.to_thread(self._results)
        self._work.tell(f"New fine-tuned model created: {self._asked.name}")
        self._work.tell("The job has successfully completed")
        return self._kept | {
            "fine_tuned_model": self._asked.name,
            "adapter": version.id,
            "trained_tokens": last.tokens,
            "result_files": [result],
            "guards": {"known": guards.before, "lost": list(guards.lost)},
        }

    async def _examples(self) -> tuple[list[Conversation], list[Conversation]]:
        """Return what is trained on and what it is judged by; a faulty file ends the job."""
        self._work.progress(VALIDATING, 0, 1)
        asked, found = self._asked, []
        for param, file_id, least in (
            ("training_file", asked.training_file, None),
            ("validation_file", asked.validation_file, 1),
        ):
            examples: list[Example] = []
            if file_id is not None:
                self._work.tell(f"Validating {param.replace('_', ' ')}: {file_id}")
                examples = await self._read(param, file_id, least)
            found.append([c for example in examples for c in example.conversations])
        self._work.progress(VALIDATING, 1, 1)
        return found[0], found[1]

    async def _read(self, param: str, file_id: str, least: int | None) -> list[Example]:
        def read() -> list[Example]:
            content = self._memory.files.content(self._tenant, file_id)
            return read_examples(content) if least is None else read_examples(content, least)

        try:
            examples = await asyncio.to_thread(read)
        except NotFoundError as error:
            raise await self._faulty(param, f"the file {file_id} is gone") from error
        except InvalidFileError as error:
            raise await self._faulty(param, str(error)) from error
        await self._trainer.start()
        learned = [(each.line, c) for each in examples for c in each.conversations]
        obstacles = await self._trainer.check([c for _, c in learned], TIMEOUT_S)
        for (line, _), obstacle in zip(learned, obstacles, strict=True):
            if obstacle is not None:
                raise await self._faulty(param, f"line {line}: {obstacle}")
        return examples

    async def _faulty(self, param: str, message: str) -> JobFailedError:
        """Note what is wrong with a file, for whoever looks at the job."""
        told = {"code": f"invalid_{param}", "message": message, "param": param}
        self._kept |= {"error": told}
        await self._work.keep(self._kept)
        return JobFailedError(message)

    def _tuned_further(self) -> AdapterVersion | None:
        """Return the model that is tuned further; None for the base."""
        name = self._asked.model
        if not is_model_name(name):
            return None
        version = self._memory.models.find(self._tenant, name)
        if version is None:
            raise JobFailedError(f"the model {name} is gone: it was deleted")
        if version.base_model != self._asked.base or not self._memory.adapters.files_ok(version):
            raise JobFailedError(f"the model {name} cannot be tuned further here")
        return version

    def _planned(self, examples: int) -> Plan:
        asked, limit = self._asked, min(MOST_TOKENS, self._asked.max_model_len)
        parameters = self._trainer.parameters
        plan = planned(asked.hyperparameters, parameters, examples, asked.seed, limit)
        chosen = ("n_epochs", "batch_size", "learning_rate_multiplier")
        self._kept |= {"hyperparameters": {name: getattr(plan, name) for name in chosen}}
        return plan

    def _on_step(self, plan: Plan) -> Any:
        every = -(-plan.steps // MOST_STEPS_TOLD)

        def on_step(done: int, loss: float | None) -> None:
            self._work.progress("train", done, plan.steps)
            if loss is not None and done % every == 0:
                self._work.metrics(done, {"train_loss": loss, "total_steps": plan.steps})

        return on_step

    async def _on_checkpoint(self, found: Checkpoint, folder: Path) -> None:
        """Name a checkpoint, and forget one that is older than the last few."""
        name = f"{self._asked.name}:ckpt-step-{found.step}"
        await self._registered(found, folder, name, None)
        figures = found.model_dump(include=set(FIGURES), exclude_none=True)
        told = {
            "id": f"ftckpt_{self._work.job.id.removeprefix('ftjob-')}_{found.step}",
            "created_at": time.time(),
            "model": name,
            "step": found.step,
            "metrics": figures,
        }
        checkpoints = [*self._others("checkpoints", found), told]
        for old in checkpoints[:-KEPT_CHECKPOINTS]:
            await asyncio.to_thread(self._forget, old["model"])
        self._kept |= {
            "checkpoints": checkpoints[-KEPT_CHECKPOINTS:],
            "figures": [*self._others("figures", found), {"step": found.step, **figures}],
            "trained_tokens": found.tokens,
        }
        self._work.metrics(found.step, figures)
        self._work.tell(f"Checkpoint created at step {found.step}: {name}")
        await self._work.keep(self._kept)

    def _others(self, name: str, found: Checkpoint) -> list[dict[str, Any]]:
        """Return what is kept of other steps: a checkpoint is told of again after a kill."""
        return [each for each in self._kept.get(name, []) if each["step"] != found.step]

    def _forget(self, name: str) -> None:
        try:
            self._memory.models.remove(self._tenant, name)
        except NotFoundError:  # its tenant has deleted it
            return

    async def _replies(self, adapter: str | None) -> list[str]:
        prompts = [probe.conversation for probe in PROBES]
        self._work.progress("guard", 0, len(prompts))
        return await self._trainer.generate(prompts, adapter, PROBE_TOKENS, TIMEOUT_S)

    async def _guarded(self, before: list[str], adapter: str) -> GuardOutcome:
        """Return which probes were known before and are lost; whoever asked decides what of it."""
        after = dict(zip(PROBES, await self._replies(adapter), strict=True))
        known = [p for p, reply in zip(PROBES, before, strict=True) if p.right(reply)]
        lost = tuple(probe.question for probe in known if not probe.right(after[probe]))
        found = GuardOutcome(before=len(known), lost=lost)
        if not found.held:
            self._work.tell(
                f"The model forgot {len(found.lost)} of {found.before} everyday answers: "
                f"{'; '.join(found.lost)}",
                "warn",
            )
        return found

    async def _registered(
        self, found: Checkpoint, folder: Path, name: str, guards: GuardOutcome | None
    ) -> AdapterVersion:
        lost = {} if guards is None else {"guards_lost": list(guards.lost)}
        told = {"job": self._work.job.id, "decision": UNJUDGED}
        metrics = {**told, **found.model_dump(), **lost}
        naming = asyncio.to_thread(
            self._memory.adapters.register,
            folder,
            tenant=self._tenant,
            base_model=self._asked.base,
            parent=self._parent.id if self._parent else None,
            rank=found.rank,
            metrics=metrics,
            record_ids=(),
            name=name,
        )
        self._naming = asyncio.ensure_future(naming)
        return await asyncio.shield(self._naming)

    async def withdraw(self) -> None:
        """Let nothing be half named, and nothing be named that a cancelled job does not tell of."""
        if self._naming is not None:
            await asyncio.wait([self._naming])
        if self._work.wish is Wish.CANCEL:
            told = {each["model"] for each in self._kept.get("checkpoints", [])}
            await asyncio.to_thread(self._forget_others, told)

    def _forget_others(self, told: Collection[str]) -> None:
        own = self._asked.name
        for name in self._memory.models.list(self._tenant):
            if name not in told and (name == own or name.startswith(f"{own}:")):
                self._forget(name)

    def _results(self) -> str:
        """Write the figures of all checkpoints to a file; return its id."""
        text = io.StringIO()
        writer = csv.DictWriter(text, ("step", *FIGURES), restval="")
        writer.writeheader()
        writer.writerows(self._kept.get("figures", []))
        new = NewFile(tenant=self._tenant, name="step_metrics.csv", purpose=RESULTS)
        return self._memory.files.create(new, [text.getvalue().encode()]).id
