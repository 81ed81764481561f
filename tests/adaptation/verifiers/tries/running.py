"""Runs tries, a few at once, and says what came of each."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from adaptation.verifiers.python_tests import PythonSpec, PythonTests
from tests.adaptation.verifiers.tries import greedy, judged, outside
from tests.adaptation.verifiers.tries.kinds import Around, Try
from tests.adaptation.verifiers.tries.surroundings import Surroundings

AT_ONCE = 4


@dataclass(frozen=True)
class Outcome:
    """What came of a try; of the breaches outside, whichever tries ran meanwhile."""

    tried: Try
    accepted: bool
    escaped: str
    """Empty where nothing outside was reached."""
    detail: str


def every_try(around: Around) -> list[Try]:
    """Return all tries."""
    return list(chain.from_iterable(kind.tries(around) for kind in (outside, judged, greedy)))


async def run_all(tries: Sequence[Try], world: Surroundings) -> list[Outcome]:
    """Run every try, some at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(tried: Try) -> Outcome:
        async with places:
            return await _run(tried, world)

    return list(await asyncio.gather(*map(one, tries)))


async def _run(tried: Try, world: Surroundings) -> Outcome:
    spec = PythonSpec(type="python", tests=tried.tests, timeout_s=tried.timeout_s)
    report = await PythonTests(spec).verify(question="", text=tried.code, answer=None)
    breaches = world.breaches()
    if world.around.canary in (report.detail or ""):
        breaches.append("the canary was told")
    return Outcome(tried, report.passed, "; ".join(breaches), report.detail or "")


def table(outcomes: Iterable[Outcome]) -> str:
    """Count tries, escapes and false accepts by kind."""
    tries: Counter[str] = Counter()
    escaped: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for outcome in outcomes:
        kind = outcome.tried.kind
        tries[kind] += 1
        escaped[kind] += bool(outcome.escaped)
        accepted[kind] += outcome.accepted
    lines = [f"{'kind':<14} {'tries':>6} {'escapes':>8} {'false accepts':>14}"]
    rows = [*tries, "all"]
    tries["all"], escaped["all"] = tries.total(), escaped.total()
    accepted["all"] = accepted.total()
    lines += [f"{k:<14} {tries[k]:>6} {escaped[k]:>8} {accepted[k]:>14}" for k in rows]
    return "\n".join(lines)
