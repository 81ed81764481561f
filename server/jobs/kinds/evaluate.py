"""Suites put to what is served, by the server that began the job: no second engine is started.

Every answer is noted in the job's folder: whoever goes on asks only what is left.
"""

from __future__ import annotations

import asyncio
from typing import Any

from adaptation.evaluation.arms.arm import Settings as ArmSettings
from adaptation.evaluation.errors import EvaluationError
from adaptation.evaluation.measurable import measurable
from adaptation.evaluation.plan import Plan, make_plan
from adaptation.evaluation.results import Header, Results, open_results
from adaptation.evaluation.runner import Runner
from adaptation.evaluation.suites import SUITES, suite_named
from adaptation.evaluation.suites.errors import SuiteError
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import Suite
from adaptation.evaluation.summary import Summary, summarise
from adaptation.evaluation.target import Target
from adaptation.evaluation.teaching import Teacher
from server.jobs.evaluation import EvaluateRequest, check_evaluation
from server.jobs.kind import JobFailedError
from server.jobs.work import Work
from server.refusals.errors import ApiError
from server.version import installed_version

RESULTS = "results.jsonl"
URL = "http://whet"
"""Stands for the server that began the job, which is not reached by an address."""


async def run(work: Work) -> dict[str, Any]:
    """Ask, and return the figures of every arm on every suite."""
    asked = EvaluateRequest.model_validate(work.job.request)
    if work.asks is None:
        raise JobFailedError("an evaluation as a job is done by a server: start `whet serve`")
    try:
        check_evaluation(asked)
        plan = await asyncio.to_thread(_planned, asked)
        target = Target(URL, asked.model, transport=work.asks)
        async with target:
            plan = await measurable(plan, target, work.tell)
            results = await _asked(work, asked, plan, target)
        summary = summarise(results)
    except (ApiError, EvaluationError, SuiteError) as error:
        raise JobFailedError(str(error)) from error
    _tell(work, summary)
    return summary.as_json()


async def _asked(work: Work, asked: EvaluateRequest, plan: Plan, target: Target) -> Results:
    """Ask what has not been answered yet, and return all of it."""
    header = await _header(asked, plan, target)
    results, writer = open_results(work.folder / RESULTS, header, fresh=False, mix_versions=True)
    try:
        runner = Runner(
            plan,
            asked.arms,
            target,
            None,
            Teacher(target, work.job.id),
            ArmSettings(asked.votes, asked.temperature, asked.max_tokens),
            asked.parallel,
            lambda what, done, total: work.progress(what or "asking", done, total),
        )
        await runner.run(results, writer)
    finally:
        writer.close()
    return results


def _planned(asked: EvaluateRequest) -> Plan:
    suites = [suite_named(name) for name in asked.suites or SUITES]
    return make_plan(
        suites,
        questions=asked.questions,
        examples=asked.examples if asked.teach else 0,
        seed=asked.seed,
        levels={suite.name: _level(suite, asked.difficulty) for suite in suites},
        worlds=asked.worlds,
        split=Split.DEVELOPMENT if asked.development else Split.EVALUATION,
    )


def _level(suite: Suite, wanted: int | None) -> int:
    """Return the difficulty of a suite that is nearest to what is wanted."""
    return min(max(wanted or suite.default_level, suite.levels[0]), suite.levels[-1])


async def _header(asked: EvaluateRequest, plan: Plan, target: Target) -> Header:
    versions = (await target.whet("GET", "/v1/adapters"))["data"]
    return Header(
        model=target.model,
        model_version=target.model,
        adapter=next((v["id"] for v in versions if "champion" in v["aliases"]), None),
        server="whet",
        code_version=(installed_version(),),
        data_version=plan.data_version(),
        seed=asked.seed,
        questions=asked.questions,
        levels=plan.levels,
        split=plan.split.name.lower(),
        examples=asked.examples if asked.teach else 0,
        worlds=asked.worlds,
        temperature=asked.temperature,
        votes=asked.votes,
        max_tokens=asked.max_tokens,
        parallel=asked.parallel,
    )


def _tell(work: Work, summary: Summary) -> None:
    for section in summary.suites:
        for arm in section.arms:
            right = f"{arm.right.value:.1%} of {arm.n} right"
            cost = f"{arm.generated_tokens:.0f} tokens a question"
            work.tell(f"{section.name}, {arm.arm}: {right}, {cost}")
