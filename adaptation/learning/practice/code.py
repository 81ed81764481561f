"""Tasks of code with tests, which run in the sandbox that verifies answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from pydantic import Field

from adaptation.learning.practice.exercise import Exercise, Judge
from adaptation.verifiers.python_tests import PythonTests, build_python
from memory.types import Frozen, Tier

NAME = "code"


class CodeTask(Frozen):
    """What is to be written, and the tests that it has to pass."""

    question: str = Field(min_length=1, max_length=20_000)
    tests: str = Field(min_length=1, max_length=100_000)


@dataclass(frozen=True)
class CodeWithTests:
    """Somebody's tasks as a family of one level."""

    exercises: tuple[Exercise, ...]
    name: str = NAME
    levels: range = range(1, 2)

    async def draw(self, n: int, level: int, seed: int) -> list[Exercise]:
        """Return some of the tasks."""
        return Random(seed).sample(self.exercises, min(n, len(self.exercises)))


async def code_with_tests(tasks: Sequence[CodeTask]) -> CodeWithTests:
    """Look the tests over; raises `InvalidOptionsError` for such as test nothing."""
    found = []
    for place, task in enumerate(tasks):
        spec = {"type": "python", "tests": task.tests}
        verifier = await build_python(spec, f"tasks.{place}")
        tier = verifier.tier or Tier.CORROBORATED
        judge = _passes(verifier)
        found.append(Exercise(task.question, None, NAME, 1, judge, tier))
    return CodeWithTests(tuple(found))


def _passes(verifier: PythonTests) -> Judge:
    async def judge(reply: str) -> bool:
        report = await verifier.verify(question="", text=reply, answer=None)
        return report.passed is True

    return judge
