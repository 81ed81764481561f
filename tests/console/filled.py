"""A server that has been at work for a while: every view of the console has something to show."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from loadtests.measure.memory import draft as everyday
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, JobStatus, NewEvent, NewJob, Progress
from memory.tenants import Limits
from memory.types import Draft, Message, State, Tier
from server.config import DEFAULT_TENANT
from server.tenancy.issuing import make
from server.tenancy.principal import Role
from tests.console.browsing import NEWCOMER
from tests.console.generations import add_generations
from tests.console.world import World
from tests.server.composed import MODEL, Composed

CHAT = "/v1/chat/completions"
HOLDER = "the console's tests"
RECORDS = 180
AT_ONCE = 500
"""Records that are saved in one transaction."""
STRATEGIES = (
    *("consistency", "auto", "ttt", "demonstrations", "plain"),
    *("refine", "best_of_n", "consistency", "ttt", "auto"),
)


async def fill(server: Composed, world: World, folder: Path) -> dict[str, str]:
    """Fill everything, the keys last, as nobody is let in without one then; return them by role."""
    ids = add_records(server.memory, world)
    add_disputes(server.memory, world, ids)
    add_generations(server.memory, folder, ids)
    await ask(server, world)
    await compare(server)
    await evaluate(server)
    await grade(server)
    add_jobs(server.memory)
    server.memory.tenants.set("acme", Limits(requests_per_minute=120, records_per_day=500))
    server.memory.tenants.set("globex", Limits(tokens_per_minute=40_000, weight=2.0))
    return make_keys(server)


def asked(question: str) -> tuple[Message, ...]:
    return (Message(role="user", content=question),)


def draft(question: str, answer: str, rationale: str, tier: Tier, **evidence: Any) -> Draft:
    return Draft(
        tenant=DEFAULT_TENANT,
        task="stories",
        messages=asked(question),
        answer=answer,
        rationale=rationale,
        tier=tier,
        evidence=evidence,
        model=MODEL,
    )


def add_records(memory: LongTermMemory, world: World) -> list[str]:
    """Save solved stories; return the records' ids."""
    tiers = (Tier.FEEDBACK, Tier.IMPORTED, Tier.EXECUTABLE)
    drafts = [
        draft(story.question, story.answer, story.rationale, tiers[n % 3], file="stories.jsonl")
        for n, story in enumerate(world.stories[:RECORDS])
    ]
    return [saved.record.id for saved in memory.save_many(drafts)]


def add_many(memory: LongTermMemory, count: int) -> None:
    """Save so many records of everyday questions, as an import does."""
    for start in range(0, count, AT_ONCE):
        places = range(start, min(start + AT_ONCE, count))
        memory.save_many([everyday(n, DEFAULT_TENANT) for n in places])


def add_disputes(memory: LongTermMemory, world: World, ids: list[str]) -> None:
    """Let some records be doubted, and some questions have two answers."""
    for n, record_id in enumerate(ids[:6]):
        near = ids[10 + n : 18 + n]
        doubt = "the model contradicts it in each of 5 answers, and is right about 7 of 8 near it"
        memory.hold(DEFAULT_TENANT, record_id, doubt, near)
    for story in world.stories[RECORDS : RECORDS + 4]:
        wrong = str(int(story.answer) + 3)
        memory.save(draft(story.question, story.answer, story.rationale, Tier.FEEDBACK))
        memory.save(draft(story.question, wrong, f"I counted {wrong}.", Tier.FEEDBACK))
    for record_id in ids[20:23]:
        memory.set_state(DEFAULT_TENANT, record_id, State.QUARANTINED, "called incorrect")


def add_jobs(memory: LongTermMemory) -> None:
    """Leave a job in every state."""
    done = _begun(memory, JobKind.DISTILL, ["120 records are selected", "trained 40 steps"])
    memory.jobs.keep(done.id, HOLDER, {"decision": "promoted", "train": 120, "seconds": 96.0})
    memory.jobs.end(done.id, HOLDER, JobStatus.SUCCEEDED)
    failed = _begun(memory, JobKind.IMPORT, ["line 17 is no JSON"])
    memory.jobs.end(failed.id, HOLDER, JobStatus.FAILED, error="the file holds no record")
    running = _begun(memory, JobKind.PRACTISE, ["40 exercises are drawn", "18 are solved"])
    memory.jobs.advance(running.id, HOLDER, Progress(phase="solving", done=18, total=40))
    memory.jobs.create(NewJob(tenant=DEFAULT_TENANT, kind=JobKind.REINDEX, request={}), 100)


def _begun(memory: LongTermMemory, kind: JobKind, told: list[str]) -> Job:
    job = memory.jobs.create(NewJob(tenant=DEFAULT_TENANT, kind=kind, request={}), 100)
    memory.jobs.take(DEFAULT_TENANT, job.id, HOLDER)
    memory.jobs.note(job.id, HOLDER, [NewEvent(message=each) for each in told])
    return job


async def ask(server: Composed, world: World) -> None:
    """Ask by every strategy, some with a verifier, and say of some whether they were right."""
    stories = world.stories[RECORDS + 10 :]
    for n in range(40):
        story, strategy = stories[n], STRATEGIES[n % len(STRATEGIES)]
        given: dict[str, Any] = {"strategy": strategy, "max_samples": 12}
        if strategy != "plain" and (n % 3 == 0 or strategy == "refine"):
            given["verifiers"] = [{"type": "math", "reference": story.answer}]
        messages = [{"role": "user", "content": story.question}]
        made = await server.post(CHAT, model=MODEL, messages=messages, adaptation=given)
        if n % 2:
            is_right = made["adaptation"]["answer"] == story.answer
            said = {"verdict": "correct"} if is_right else {"verdict": "incorrect"}
            server.memory.completions.flush()
            await server.post("/v1/feedback", completion_id=made["id"], **said)


GAINS = {
    "ttt": (34, 8, 120, 960, 2.4),
    "best_of_n": (19, 12, 90, 1_350, 1.9),
    "refine": (6, 11, 60, 1_120, 2.1),
    "plain": (2, 29, 120, 60, 0.2),
    "demonstrations": (22, 9, 120, 640, 1.5),
}
"""Helped, hurt, questions, tokens and seconds of each, in an evaluation beside the vote."""


async def compare(server: Composed) -> None:
    """Note what an evaluation saw of each strategy."""
    for strategy, (helped, hurt, questions, tokens, seconds) in GAINS.items():
        settled = helped + hurt + questions // 5
        trials = [
            {
                "id": f"{strategy}-{n}",
                "strategy": strategy,
                "right": n < helped or n >= settled,
                "baseline": helped <= n < helped + hurt or n >= settled,
                "tokens": tokens,
                "seconds": seconds,
            }
            for n in range(questions)
        ]
        await server.post("/v1/ledger", trials=trials)


async def evaluate(server: Composed) -> None:
    """Put a suite to the server, as the button of the view does; no job is begun after it."""
    arms = ["one", "vote-4", "consistency"]
    made = await server.post(
        "/v1/jobs", kind="evaluate", suites=["stories"], difficulty=3, questions=16, arms=arms
    )
    working = asyncio.create_task(server.jobs.follow())
    folder = server.memory.data_dir / "jobs" / made["id"]
    async with asyncio.timeout(120):
        while server.memory.jobs.get(DEFAULT_TENANT, made["id"]).is_open or folder.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def grade(server: Composed) -> None:
    """Have an evaluation of OpenAI's kind run over known answers."""
    grader = {
        "type": "string_check",
        "name": "right",
        "operation": "like",
        "input": "{{ sample.output_text }}",
        "reference": "{{ item.total }}",
    }
    schema = {"type": "object", "properties": {"total": {"type": "string"}}}
    config = {"type": "custom", "include_sample_schema": True, "item_schema": schema}
    body = {"name": "Totals", "data_source_config": config, "testing_criteria": [grader]}
    made = (await server.http.post("/v1/evals", json=body)).json()
    content = [
        {
            "item": {"total": str(n)},
            "sample": {"output_text": f"It is {n if n % 4 else n + 1}."},
        }
        for n in range(10, 30)
    ]
    source = {"type": "jsonl", "source": {"type": "file_content", "content": content}}
    runs = f"/v1/evals/{made['id']}/runs"
    run = (await server.http.post(runs, json={"name": "Known", "data_source": source})).json()
    async with asyncio.timeout(60):
        while run["status"] in ("queued", "in_progress"):
            await asyncio.sleep(0.05)
            run = (await server.http.get(f"{runs}/{run['id']}")).json()


def make_keys(server: Composed) -> dict[str, str]:
    """Make a key of every role, and a newcomer's; return them."""
    parts, made = server.parts, {}
    names = {Role.ADMIN: "operations", Role.REVIEWER: "content team", Role.USER: "shop front"}
    for role, name in names.items():
        key = make(parts.memory.keys, parts.secret, DEFAULT_TENANT, role, name, None)
        made[role.value] = key["key"]
    make(parts.memory.keys, parts.secret, "acme", Role.USER, "acme's app", 90)
    key = make(parts.memory.keys, parts.secret, "globex", Role.ADMIN, "globex begins", None)
    made[NEWCOMER] = key["key"]
    parts.keyring.forget()
    return made
