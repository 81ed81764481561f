"""A fine-tuning, whatever its method: look at the files, learn, tell what was lost, name it."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from adaptation.conversation import Conversation
from adaptation.learning.distillation.guarding import Guard
from adaptation.learning.distillation.vetting import Drawing
from adaptation.learning.finetuning.tuning import Checkpoint
from adaptation.learning.training.trainer import GeneratingTrainer
from memory.errors import NotFoundError
from memory.history.files import NewFile
from memory.offline.job import Wish
from memory.types import AdapterVersion, Frozen, State
from memory.versions.adapters import NewVersion
from memory.versions.model_names import is_model_name
from memory.versions.standing import FINE_TUNED
from server.finetuning.examples import LEAST_EXAMPLES, InvalidFileError, Line, read_file
from server.finetuning.forms import FineTuneRequest
from server.finetuning.guarding import Found, Guarding, examples_of, near_guards
from server.finetuning.objects import VALIDATING
from server.jobs.kind import JobFailedError
from server.jobs.work import Work

KEPT_CHECKPOINTS = 3
"""The last ones, as at OpenAI."""
MOST_STEPS_TOLD = 500
"""Most steps of a job that become events: of more, every second or third does."""
MOST_READ = 10_000
"""Most events of a job that its file of figures is made from."""
GUARD_TOKENS = 128
"""Most tokens of a reply to a guard: room for a JSON object and for a call of a tool."""
TIMEOUT_S = 3_600.0
RESULTS = "fine-tune-results"
"""The purpose of the file of figures."""
FIGURES = (
    "train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy",
    "full_valid_loss", "full_valid_mean_token_accuracy",
)  # fmt: skip


M = TypeVar("M")
"""What a method learns from: its files, read."""


class FineTuningJob(ABC, Generic[M]):
    """One fine-tuning under way, by some method."""

    def __init__(self, work: Work, asked: FineTuneRequest, trainer: GeneratingTrainer) -> None:
        self.work, self.asked, self.trainer = work, asked, trainer
        self._memory, self._tenant = work.memory, work.job.tenant
        self._kept: dict[str, Any] = dict(work.job.result or {})
        self._further: AdapterVersion | None = None
        self._naming: asyncio.Future[AdapterVersion] | None = None

    async def run(self) -> dict[str, Any]:
        """Do it all; return what came of it."""
        # 1. What is to be learned.
        training, validation = await self._files()
        self._further = await asyncio.to_thread(self._tuned_further)
        parent = self._further.path if self._further else None
        # 2. What the model knows by now.
        guarding = Guarding(self._replies, await self._drawing(training))
        await guarding.before(parent)
        # 3. The descent, with a checkpoint after every epoch.
        self.work.tell("Fine-tuning job started")
        last, folder = await self.learn(training, validation, parent)
        # 4. What it lost, and the model.
        found = await guarding.after(str(folder))
        self.work.tell(found.words, "warn" if found.objections else "info")
        version = await self._registered(last, folder, self.asked.name, found)
        result = await asyncio.to_thread(self._results)
        self.work.tell(f"New fine-tuned model created: {self.asked.name}")
        self.work.tell("The job has successfully completed")
        return self._kept | {
            "fine_tuned_model": self.asked.name,
            "adapter": version.id,
            "trained_tokens": last.tokens,
            "result_files": [result],
            **found.told,
        }

    @abstractmethod
    def read(self, line: dict[str, Any]) -> M:
        """Return what is learned of a line of a file; raises `InvalidImportError`."""

    @abstractmethod
    def rendered(self, example: M) -> tuple[Conversation, ...]:
        """Return what of an example the model's template must be able to render."""

    def learned(self, example: M) -> tuple[Conversation, ...]:
        """Return what of an example ends with an answer that is learned."""
        return self.rendered(example)

    @abstractmethod
    async def learn(
        self, training: Sequence[M], validation: Sequence[M], parent: str | None
    ) -> tuple[Checkpoint, Path]:
        """Train; return the last checkpoint and the folder of its adapter."""

    async def _files(self) -> tuple[list[M], list[M]]:
        """Return what is trained on and what it is judged by; a faulty file ends the job."""
        self.work.progress(VALIDATING, 0, 1)
        asked, found = self.asked, list[list[M]]()
        for param, file_id, least in (
            ("training_file", asked.training_file, LEAST_EXAMPLES),
            ("validation_file", asked.validation_file, 1),
        ):
            lines: list[Line[M]] = []
            if file_id is not None:
                self.work.tell(f"Validating {param.replace('_', ' ')}: {file_id}")
                lines = await self._lines(param, file_id, least)
            found.append([line.example for line in lines])
        self.work.progress(VALIDATING, 1, 1)
        return found[0], found[1]

    async def _lines(self, param: str, file_id: str, least: int) -> list[Line[M]]:
        def read() -> list[Line[M]]:
            content = self._memory.files.content(self._tenant, file_id)
            return read_file(content, self.read, least)

        try:
            lines = await asyncio.to_thread(read)
        except NotFoundError as error:
            raise await self._faulty(param, f"the file {file_id} is gone") from error
        except InvalidFileError as error:
            raise await self._faulty(param, str(error)) from error
        await self.trainer.start()
        shown = [(line.number, c) for line in lines for c in self.rendered(line.example)]
        obstacles = await self.trainer.check([c for _, c in shown], TIMEOUT_S)
        for (number, _), obstacle in zip(shown, obstacles, strict=True):
            if obstacle is not None:
                raise await self._faulty(param, f"line {number}: {obstacle}")
        return lines

    async def _faulty(self, param: str, message: str) -> JobFailedError:
        """Note what is wrong with a file, for whoever looks at the job."""
        told = {"code": f"invalid_{param}", "message": message, "param": param}
        self._kept |= {"error": told}
        await self.work.keep(self._kept)
        return JobFailedError(message)

    def _tuned_further(self) -> AdapterVersion | None:
        """Return the model that is tuned further; None for the base."""
        if not is_model_name(self.asked.model):
            return None
        version = self._memory.models.find(self._tenant, self.asked.model)
        if version is None:
            raise JobFailedError(f"the model {self.asked.model} is gone: it was deleted")
        if version.base_model != self.asked.base or not self._memory.adapters.files_ok(version):
            raise JobFailedError(f"the model {self.asked.model} cannot be tuned further here")
        return version

    def chosen(self, hyperparameters: Frozen) -> None:
        """Keep what `auto` came to."""
        self._kept |= {"hyperparameters": hyperparameters.model_dump(mode="json")}

    def told(self, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Tell of a step; of very many every second, or third."""
        self.work.progress("train", done, total)
        if figures and done % -(-total // MOST_STEPS_TOLD) == 0:
            self.work.metrics(done, dict(figures), total)

    async def checkpoint(self, found: Checkpoint, folder: Path) -> None:
        """Name a checkpoint, and forget one that is older than the last few."""
        name = f"{self.asked.name}:ckpt-step-{found.step}"
        await self._registered(found, folder, name, None)
        figures = found.model_dump(include=set(FIGURES), exclude_none=True)
        told = {
            "id": f"ftckpt_{self.work.job.id.removeprefix('ftjob-')}_{found.step}",
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
        self.work.metrics(found.step, figures)
        self.work.tell(f"Checkpoint created at step {found.step}: {name}")
        await self.work.keep(self._kept)

    def _others(self, name: str, found: Checkpoint) -> list[dict[str, Any]]:
        """Return what is kept of other steps: a checkpoint is told of again after a kill."""
        return [each for each in self._kept.get(name, []) if each["step"] != found.step]

    def _forget(self, name: str) -> None:
        try:
            self._memory.models.remove(self._tenant, name)
        except NotFoundError:  # its tenant has deleted it
            return

    async def _drawing(self, training: Sequence[M]) -> Drawing:
        """Return what draws questions near what is learned, the tenant's own records among them."""
        taught = (each for example in training for each in self.learned(example))
        learned = await asyncio.to_thread(lambda: tuple(examples_of(taught)))

        async def draw(seed: int) -> Sequence[Guard]:
            # Of later draws only what is computed is asked.
            own = () if seed else self._memory.walk(self._tenant, state=State.ACTIVE)
            return await asyncio.to_thread(near_guards, learned, own, self.asked.seed + seed)

        return draw

    async def _replies(
        self, phase: str, prompts: Sequence[Conversation], adapter: str | None
    ) -> list[str]:
        self.work.progress(phase, 0, len(prompts))
        return await self.trainer.generate(prompts, adapter, GUARD_TOKENS, TIMEOUT_S)

    async def _registered(
        self, found: Checkpoint, folder: Path, name: str, guards: Found | None
    ) -> AdapterVersion:
        """Name it; `guards` are what was found of the last, and None of a checkpoint."""
        told = {
            "job": self.work.job.id,
            "decision": FINE_TUNED,
            "training_file": self.asked.training_file,
        }
        metrics = {**told, **found.model_dump(), **(guards.told if guards else {})}
        new = NewVersion(
            tenant=self._tenant,
            base_model=self.asked.base,
            parent=self._further.id if self._further else None,
            rank=found.rank,
            metrics=metrics,
            name=name,
        )
        naming = asyncio.to_thread(self._memory.adapters.register, folder, new)
        self._naming = asyncio.ensure_future(naming)
        return await asyncio.shield(self._naming)

    async def withdraw(self) -> None:
        """Let nothing be half named, and nothing be named that a cancelled job does not tell of."""
        if self._naming is not None:
            await asyncio.wait([self._naming])
        if self.work.wish is Wish.CANCEL:
            told = {each["model"] for each in self._kept.get("checkpoints", [])}
            await asyncio.to_thread(self._forget_others, told)

    def _forget_others(self, told: Collection[str]) -> None:
        own = self.asked.name
        for name in self._memory.models.list(self._tenant):
            if name not in told and (name == own or name.startswith(f"{own}:")):
                self._forget(name)

    def _rows(self) -> list[dict[str, Any]]:
        """Return a row for each step; what a checkpoint measured goes before its last batch."""
        self.work.flush()
        told = self._memory.jobs.events(self._tenant, self.work.job.id, MOST_READ, oldest=True)
        measured = [each.data for each in told if each.type == "metrics" and each.data]
        rows: dict[int, dict[str, Any]] = {}
        for figures in (*measured, *self._kept.get("figures", [])):
            rows.setdefault(figures["step"], {}).update(figures)
        for row in rows.values():
            row.pop("total_steps", None)
        return [rows[step] for step in sorted(rows)]

    def _results(self) -> str:
        """Write the figures of all steps that were told of to a file; return its id."""
        rows = self._rows()
        others = {name: None for row in rows for name in row if name not in ("step", *FIGURES)}
        text = io.StringIO()
        writer = csv.DictWriter(text, ("step", *FIGURES, *others), restval="")
        writer.writeheader()
        writer.writerows(rows)
        new = NewFile(tenant=self._tenant, name="step_metrics.csv", purpose=RESULTS)
        return self._memory.files.create(new, [text.getvalue().encode()]).id
