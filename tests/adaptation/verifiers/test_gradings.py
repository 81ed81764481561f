"""Gradings that run programs take places, in fair turns of their tenants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from adaptation.report import VerifierReport
from adaptation.types import Query, Sample
from adaptation.verifiers.gradings import Gradings
from adaptation.verify import Checked, Checks
from memory.types import Tier

MakeQuery = Callable[..., Query]
PLACES = 2


@dataclass
class Program:
    """Runs until it is let go, and notes who was at work with it."""

    runs_programs: bool = True
    type: str = "program"
    tier: Tier | None = Tier.CORROBORATED
    may_end: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    began: list[str] = field(default_factory=list)
    ended: int = 0

    @property
    def at_work(self) -> int:
        return len(self.began) - self.ended

    async def verify(self, *, question: str, text: str, answer: str | None) -> VerifierReport:
        self.began.append(text)
        try:
            await self.may_end.acquire()
        finally:
            self.ended += 1
        return VerifierReport(type=self.type, passed=True, detail="ran")


def graded(
    make_query: MakeQuery, gradings: Gradings, program: Program, tenant: str, text: str
) -> asyncio.Task[Checked]:
    query = replace(make_query(text, query_verifiers=(program,)), tenant=tenant)
    return asyncio.create_task(Checks(query, gradings).of(Sample(0, text, 1, "stop"), text))


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_so_many_run_at_a_time_and_a_modest_tenant_comes_next(
    make_query: MakeQuery,
) -> None:
    program, gradings = Program(), Gradings(PLACES)
    tasks = [graded(make_query, gradings, program, "greedy", f"greedy {n}") for n in range(8)]
    await settled()
    assert program.began == ["greedy 0", "greedy 1"]
    tasks.append(graded(make_query, gradings, program, "modest", "modest"))
    await settled()
    program.may_end.release()
    await settled()
    assert (program.began[2:], program.at_work) == (["modest"], PLACES)
    for _ in range(8):
        program.may_end.release()
        await settled()
        assert program.at_work <= PLACES
    found = await asyncio.gather(*tasks)
    assert all(each.passed for each in found)


async def test_who_gives_up_leaves_no_place_taken(make_query: MakeQuery) -> None:
    program, gradings = Program(), Gradings(1)
    first, second = (graded(make_query, gradings, program, "a", text) for text in ("one", "two"))
    await settled()
    for task in (second, first):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    third = graded(make_query, gradings, program, "a", "three")
    program.may_end.release()
    assert (await third).passed
    assert program.began == ["one", "three"]


async def test_what_runs_no_program_waits_for_no_place(make_query: MakeQuery) -> None:
    program, light, gradings = Program(), Program(runs_programs=False), Gradings(1)
    held = graded(make_query, gradings, program, "a", "held")
    await settled()
    light.may_end.release()
    assert (await graded(make_query, gradings, light, "a", "light")).passed
    program.may_end.release()
    assert (await held).passed


async def test_a_grading_that_gets_no_place_in_time_is_told_as_late(make_query: MakeQuery) -> None:
    program, gradings = Program(), Gradings(1)
    held = graded(make_query, gradings, program, "a", "held")
    await settled()
    late = make_query("b", query_verifiers=(program,), query_deadline=0.0)
    assert (await Checks(late, gradings).of(Sample(0, "b", 1, "stop"), "b")).is_late
    program.may_end.release()
    assert (await held).passed
