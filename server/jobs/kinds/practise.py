"""Practice: exercises are posed, tried by what is served, judged by execution, and remembered.

What was kept stays: a job that is gone on with begins after its last round. It fails where the
tenant's day has no room for more records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from pydantic import Field

from adaptation.conversation import Conversation
from adaptation.evaluation.suites import SuiteError, suite_named
from adaptation.evaluation.suites.errors import ScorerError
from adaptation.evaluation.suites.suite import Group
from adaptation.learning.distillation.budget import History
from adaptation.learning.practice import sums
from adaptation.learning.practice.code import CodeTask, code_with_tests
from adaptation.learning.practice.exercise import Exercise, Family, OfSuite
from adaptation.learning.practice.novelty import novel
from adaptation.learning.practice.posing import Ask, Drawn, Poser, Written
from adaptation.learning.practice.practising import Practice
from adaptation.learning.practice.programs import Programs
from adaptation.learning.practice.remembered import remembered
from adaptation.learning.practice.tally import Tally
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import Draw, GeneratingTrainer
from adaptation.verifiers import sandbox
from memory.jsonl import Room, fitting
from memory.memory import LongTermMemory
from memory.types import AdapterVersion, Draft, Frozen, Source, State
from server.jobs.kind import JobFailedError
from server.jobs.limits import MOST_FAMILIES, MOST_TASKS
from server.jobs.of_base import OfBase
from server.jobs.work import Work
from server.tenancy.records_left import room_of

OWN = ("sums", "programs")
"""Families beside the suites."""
SELF_PLAYED = ("sums", "equations", "programs")
"""Families after which the model writes where none is named."""
TEMPERATURE = 1.0
TIMEOUT_S = 3600.0
"""For the replies of one round."""
NEAR = 4
"""Neighbours in memory that an exercise is compared with."""


class PractiseRequest(OfBase):
    """What is to be practised."""

    mode: Literal["environment", "self-play", "synthetic"] = "environment"
    """Who poses exercises: generators, the model after their examples, or the model after the
    tenant's own records."""
    families: tuple[str, ...] = Field(default=(), max_length=MOST_FAMILIES)
    tasks: tuple[CodeTask, ...] = Field(default=(), max_length=MOST_TASKS)
    """Tasks of code, with their tests."""
    exercises: int = Field(default=64, ge=1, le=10_000)
    """To be tried."""
    max_new_tokens: int = Field(default=256, ge=1, le=8192)
    """Most tokens of one reply."""


class PracticeReport(Frozen):
    """How practice went, by family."""

    families: tuple[Tally, ...]

    @property
    def kept(self) -> int:
        """Records that came of it."""
        return sum(tally.kept for tally in self.families)


async def run(work: Work) -> dict[str, Any]:
    """Practise, and return how it went."""
    asked = PractiseRequest.model_validate(work.job.request)
    room = room_of(work.memory.tenants, work.job.tenant, work.settings)
    await asyncio.to_thread(room)  # where there is none, nothing is tried
    trainer = make_trainer(asked, work.settings.trainer_device)
    try:
        await trainer.start()
        return await _practised(work, asked, trainer, room)
    except (SuiteError, ScorerError) as error:
        raise JobFailedError(str(error)) from error
    finally:
        await trainer.close()


def make_trainer(asked: PractiseRequest, device: str) -> ProcessTrainer:
    """Return the process that replies for the model; it starts when it is first needed."""
    return ProcessTrainer(asked.model, template=asked.template, device=device)


async def _practised(
    work: Work, asked: PractiseRequest, trainer: GeneratingTrainer, room: Room
) -> dict[str, Any]:
    tenant, memory = work.job.tenant, work.memory
    served = await asyncio.to_thread(_served, memory, tenant, asked.base_name)
    judged = await asyncio.to_thread(memory.judgements.of, tenant, asked.base_name)

    async def keep(drafts: Sequence[Draft]) -> None:
        await asyncio.to_thread(_keep, memory, drafts, room)

    async def fresh(exercises: Sequence[Exercise]) -> list[Exercise]:
        return await asyncio.to_thread(_novel, memory, tenant, exercises)

    async def told(tallies: Sequence[Tally]) -> None:
        work.progress("practise", sum(tally.posed for tally in tallies), asked.exercises)
        await work.keep(PracticeReport(families=tuple(tallies)).model_dump(mode="json"))

    practice = Practice(
        tenant=tenant,
        model=asked.base_name,
        adapter=served.id if served else None,
        reply=_asking(trainer, asked, served.path if served else None),
        novel=fresh,
        keep=keep,
        told=told,
        seed=int(sha256(work.job.id.encode()).hexdigest()[:8], 16),
        raised=int(History(judged).saturated),
    )
    posers = await _posers(work, asked, _asking(trainer, asked, None))
    before = work.job.result and PracticeReport.model_validate(work.job.result).families
    tallies = await practice.run(posers, asked.exercises, before or ())
    _tell(work, tallies)
    return PracticeReport(families=tuple(tallies)).model_dump(mode="json")


def _asking(trainer: GeneratingTrainer, asked: PractiseRequest, adapter: str | None) -> Ask:
    """Return what asks; a reply that was cut off is none: it would be learned as a whole turn."""

    async def ask(prompts: Sequence[Conversation], seed: int) -> list[str]:
        draw = Draw(temperature=TEMPERATURE, seed=seed)
        limits = asked.max_new_tokens, TIMEOUT_S
        said = await trainer.timed(prompts, adapter, *limits, None, draw)
        pairs = zip(said.texts, said.whole, strict=True)
        return [text if is_whole else "" for text, is_whole in pairs]

    return ask


async def _posers(work: Work, asked: PractiseRequest, ask: Ask) -> list[Poser]:
    """Return who poses exercises; raises `JobFailedError` where nobody can."""
    if asked.mode == "synthetic":
        active = await asyncio.to_thread(_latest, work.memory, work.job.tenant)
        own = await remembered(active)
        if not own.exercises:
            raise JobFailedError(
                "no record's answer can be computed from its question, so nothing could verify "
                "what the model writes after them: practise a family instead"
            )
        return [Written(own, ask, Source.SYNTHETIC)]
    families = await _families(asked)
    if asked.mode == "self-play":
        return [Written(family, ask) for family in families]
    return [Drawn(family) for family in families]


async def _families(asked: PractiseRequest) -> list[Family]:
    named = asked.families
    if not named and asked.mode == "self-play":
        has_sandbox = (await asyncio.to_thread(sandbox.available)).usable
        named = SELF_PLAYED if has_sandbox else tuple(n for n in SELF_PLAYED if n != "programs")
    families = [await asyncio.to_thread(family_named, name) for name in dict.fromkeys(named)]
    if asked.tasks:
        families.append(await code_with_tests(asked.tasks))
    if not families:
        raise JobFailedError("nothing to practise: name a family, such as equations")
    return families


def family_named(name: str) -> Family:
    """Return a family; raises `SuiteError`, and `JobFailedError` for one that is no practice."""
    if name == "programs":
        return Programs()
    suite = sums.SUITE if name == "sums" else suite_named(name)
    if suite.worlds or suite.group not in (Group.IN_DISTRIBUTION, Group.EXTERNAL):
        raise JobFailedError(
            f"{name} is no practice: its answers are of a private world, or it measures manners; "
            f"take {', '.join(OWN)}, a suite such as equations, or rg:FAMILY"
        )
    return OfSuite(suite)


def _served(memory: LongTermMemory, tenant: str, base: str) -> AdapterVersion | None:
    """Return the version that answers the tenant on a base."""
    found = memory.adapters.alias(tenant, "champion")
    is_usable = found is not None and found.base_model == base and memory.adapters.files_ok(found)
    return found if is_usable else None


def _latest(memory: LongTermMemory, tenant: str) -> list[Any]:
    return memory.list(tenant, state=State.ACTIVE, limit=1000)


def _keep(memory: LongTermMemory, drafts: Sequence[Draft], room: Room) -> None:
    for some in fitting(drafts, room):
        memory.save_many(some)


def _novel(memory: LongTermMemory, tenant: str, exercises: Sequence[Exercise]) -> list[Exercise]:
    def embed(questions: Sequence[str]) -> np.ndarray:
        return memory.embedder.embed(list(questions))

    def nearest(question: str, vector: np.ndarray) -> list[tuple[str, float]]:
        found = memory.near(tenant, vector, k=NEAR, question=question)
        return [(neighbour.record.question, neighbour.similarity) for neighbour in found]

    return novel(exercises, embed, nearest)


def _tell(work: Work, tallies: Sequence[Tally]) -> None:
    for tally in tallies:
        rates = tally.pass_rates[-4:]
        work.metrics(
            len(tally.levels),
            {
                "family": tally.family,
                "kept": tally.kept,
                "level": tally.levels[-1] if tally.levels else 0,
                "pass_rate": sum(rates) / len(rates) if rates else 0.0,
            },
        )
