"""What was verified for this very question, served as it was: nothing is generated."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from adaptation.engine import Engine
from adaptation.options import Strategy
from adaptation.report import AnswerCount, MemoryReport, Report, SampleCounts, StopReason
from adaptation.services import Services
from adaptation.stopwatch import Stopwatch
from adaptation.types import Outcome, Query, Sample, Vote
from adaptation.verify import Checks, verify
from adaptation.voting.ballots import Ballots
from adaptation.waits import recall_wait_s
from memory.errors import WhetMemoryError
from memory.history.traced import Traced
from memory.identity.answer_key import value_key
from memory.identity.answers import Answer
from memory.identity.answers.tool_call import called
from memory.identity.prompt import Prompt
from memory.lines.calls import turn_of
from memory.memory import LongTermMemory
from memory.types import TIERS_THAT_TRAIN, Record

logger = logging.getLogger(__name__)
NEAREST = 16
"""Records among which a question of any task is looked for."""
FORMS = frozenset({"response_format", "structured_outputs"})
"""Keys of a request that demand a form of the output."""


async def remembered(query: Query, services: Services, clock: Stopwatch) -> Outcome | None:
    """Return the answer of an active record of this prompt, None where there is none to serve.

    A bare vote is no reason to serve an answer again, and what the request's verifiers reject is
    not served.
    """
    if not (services.policy.reuse and query.options.memory.reuse and query.options.memory.read):
        return None
    if query.options.strategy is Strategy.PLAIN or query.choices != 1 or not query.question.strip():
        return None
    with clock.measure("retrieve"):
        record = await _known(query, services)
    vote = None if record is None else _as_vote(query, record, services.engine)
    if record is None or vote is None:
        return None
    with clock.measure("verify"):
        verified = await verify(query, vote, Checks(query, services.gradings))
    if verified.failed:
        return None
    return Outcome(
        (vote.winner,),
        Report(
            strategy=Strategy.CONSISTENCY,
            requested=query.options.strategy,
            effort=query.effort,
            stop_reason=StopReason.REMEMBERED,
            answer=record.answer,
            confidence=record.confidence,
            samples=SampleCounts(),
            verification=verified.reports or None,
            memory=MemoryReport(
                saved=None,
                state=record.state,
                reason=_told(record),
                reused=record.id,
            ),
            seconds={name: round(seconds, 4) for name, seconds in clock.seconds.items()},
        ),
        traced=Traced(clock.since_start_s, spans=tuple(clock.spans)),
    )


async def _known(query: Query, services: Services) -> Record | None:
    memory, asked = services.memory, query.prompt.fingerprint
    try:
        async with asyncio.timeout(recall_wait_s(query)):
            record: Record | None = await memory.aside.read(
                lambda: memory.answer_to(query.tenant, asked)
            )
            if (record is None or not _is_verified(record)) and query.options.memory.task is None:
                record = await _of_a_task(query, memory)
    except (WhetMemoryError, TimeoutError) as error:
        logger.info("no known answer could be looked up: %s", error or "no reply in time")
        return None
    if record is None or not _is_verified(record):
        return None
    return None if FORMS & query.request.keys() and not _was_generated(record) else record


async def _of_a_task(query: Query, memory: LongTermMemory) -> Record | None:
    """Return what was verified for this very question in a task, where the request names none.

    It is looked for among the nearest, as a record is filed under its task. Where two tasks have
    different answers, none is the answer.
    """
    near = await memory.aside.recall(query.tenant, query.question, k=NEAREST, task=None)
    same = [
        each.record
        for each in near
        if _is_verified(each.record)
        and Prompt(messages=each.record.messages, request=each.record.request).fingerprint
        == query.prompt.fingerprint
    ]
    answers = {value_key(record.answer) for record in same}
    return same[0] if len(answers) == 1 else None


def _is_verified(record: Record) -> bool:
    return record.tier in TIERS_THAT_TRAIN


def _told(record: Record) -> str:
    task = "" if record.task is None else f", of the task {record.task}"
    return f"answered from memory: {record.tier}{task}"


def _was_generated(record: Record) -> bool:
    """Whether the engine wrote it, which held it to the form that the request demands."""
    evidence = record.evidence
    is_own = bool(evidence.get("completion")) and evidence.get("feedback") != "corrected"
    return is_own and not evidence.get("edited")


def _sample_of(query: Query, record: Record, engine: Engine) -> Sample | None:
    """Return a record's text as a sample that says it; None where the engine cannot serve it.

    What a record says or calls is written by the chat template where the model would take the bare
    text for something else, such as for deliberation.
    """
    sample = engine.recite(query, record.rationale)
    if not _says(query, sample, record):
        written = engine.written(query, turn_of(record.rationale))
        sample = None if written is None else engine.recite(query, written)
    return sample if _says(query, sample, record) else None


def _says(query: Query, sample: Sample | None, record: Record) -> bool:
    if sample is None:
        return False
    if not query.has_tools:
        return bool(sample.said.text.strip())
    call = called(sample.said.calls)
    return call is not None and call.key == value_key(record.answer)


def _as_vote(query: Query, record: Record, engine: Engine) -> Vote | None:
    """Return the record as a vote that it has won; None where the engine cannot serve its text."""
    sample = _sample_of(query, record, engine)
    if sample is None:
        return None
    answer = Answer(record.answer, value_key(record.answer), structured=True)
    winner = replace(sample, answer=answer)
    return Vote(
        winner=winner,
        answer=record.answer,
        agreement=1.0,
        confidence=record.confidence,
        counts=(AnswerCount(answer=record.answer, count=1),),
        stop_reason=StopReason.REMEMBERED,
        readable=True,
        ranked=(winner,),
        ballots=Ballots((1,)),
    )
