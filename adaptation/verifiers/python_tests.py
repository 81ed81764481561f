"""Runs the caller's Python tests against the code in the answer.

Three processes: the server judges; one sandbox runs the tests; another runs the answer's code and
sees nothing of the tests but the arguments of calls. Hence none of these passes a test: ending the
process early, printing a verdict, overwriting tests or assertions, patching built-ins, reading the
nonce, tracing the grader, results whose `__eq__` (or any operator) agrees with everything.

What remains: code can still guess, or recognise the arguments of known tests; two objects of the
answer's own classes are compared by its own `__eq__`; a method that is told the expected value may
agree with it; helpers the tests forget to import would be the answer's.

Only plain data crosses between the tests and the answer. So some tests fail: those that hand
functions or objects of their own to the answer, catch exception classes of the answer, combine
objects of the answer with plain numbers, or read attributes of named tuples.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
from collections.abc import Coroutine, Mapping
from importlib import resources
from typing import Any, Literal, Protocol

from pydantic import Field

from adaptation.errors import InvalidOptionsError
from adaptation.report import VerifierReport
from adaptation.verifiers import sandbox
from adaptation.verifiers.base import read_spec
from adaptation.verifiers.checks import CannotCheckError, tests_problem
from memory.identity.answers.deliberation import conclusion
from memory.types import Frozen, Tier

_BLOCK = re.compile(r"^[ \t]*```[ \t]*(?:python|py|python3)?[ \t]*\n(.*?)^[ \t]*```", re.S | re.M)
_MODULES = ("crossing", "candidate_process", "grader_process")
_MAIN = """import sys
sys.path.insert(0, "/program")
from adaptation.verifiers.{module} import {function}
{function}({first}, {second})
"""


class Run(Protocol):
    """Runs a program apart; see `sandbox.run`."""

    def __call__(
        self,
        code: str,
        stdin: bytes,
        limits: sandbox.Limits,
        *,
        modules: Mapping[str, str],
        fds: tuple[int, ...],
    ) -> Coroutine[Any, Any, sandbox.SandboxResult]:
        """Return how the program ended."""


class PythonSpec(Frozen):
    """The wire form."""

    type: Literal["python"]
    tests: str = Field(min_length=1, max_length=100_000)
    """Statements, and functions called `test…` without parameters, with at least one `assert`. The
    answer's names are simply there, and in the module `solution`."""
    timeout_s: float = Field(default=10.0, gt=0, le=60)
    """For definitions and tests together."""


class PythonTests:
    """Passes texts whose code passes the tests."""

    type = "python"
    tier: Tier | None = Tier.CORROBORATED
    """Not `EXECUTABLE`: who asks also wrote the tests, and nobody checked that they test much."""
    runs_programs = True

    def __init__(self, spec: PythonSpec, run: Run = sandbox.run) -> None:
        """`run` is the sandbox; another only measures what the sandbox costs."""
        self._tests, self._run_apart = spec.tests, run
        self._limits = sandbox.Limits(wall_s=spec.timeout_s, cpu_s=int(spec.timeout_s) + 1)

    async def verify(self, *, question: str, text: str, answer: str | None) -> VerifierReport:
        """Run the last Python block of `text`, or all of it, against the tests."""
        del question, answer
        nonce = secrets.token_hex(16)
        result = await self._run(code_of(text), nonce)
        passed, detail = _verdict(result, nonce)
        return VerifierReport(type=self.type, passed=passed, detail=detail)

    async def _run(self, code: str, nonce: str) -> sandbox.SandboxResult:
        """Run both sandboxes, joined by two pipes; the answer's dies with the tests."""
        modules = _sources()
        calls_out, calls_in = os.pipe()
        replies_out, replies_in = os.pipe()
        candidate, grader = (
            _MAIN.format(module="candidate_process", function="serve", first=calls_out,
                         second=replies_in),
            _MAIN.format(module="grader_process", function="grade", first=calls_in,
                         second=replies_out),
        )  # fmt: skip
        order = json.dumps({"nonce": nonce, "tests": self._tests}).encode()
        answering = asyncio.create_task(
            self._run_apart(candidate, code.encode("utf-8", "surrogatepass"), self._limits,
                        modules=modules, fds=(calls_out, replies_in))
        )  # fmt: skip
        grading = asyncio.create_task(
            self._run_apart(
                grader, order, self._limits, modules=modules, fds=(calls_in, replies_out)
            )
        )
        try:
            # Each closes its pipes' ends itself, but only once it has begun.
            await asyncio.wait([grading])
            return grading.result()
        finally:
            grading.cancel()
            answering.cancel()
            await asyncio.gather(grading, answering, return_exceptions=True)


async def build_python(spec: dict[str, Any], param: str) -> PythonTests:
    """Raises InvalidOptionsError for tests that do not compile or assert nothing, and where code
    cannot be isolated."""
    read = read_spec(PythonSpec, spec, param)
    path = f"{param}.tests"
    try:
        problem = await tests_problem(read.tests)
    except CannotCheckError as error:
        raise InvalidOptionsError(f"{path} are too much to check: {error}", path) from error
    if problem:
        raise InvalidOptionsError(f"{path} {problem}", path)
    status = await asyncio.to_thread(sandbox.available)
    if not status.usable:
        path = f"{param}.type"
        raise InvalidOptionsError(f"{path}: code cannot be run safely here: {status.detail}", path)
    return PythonTests(read)


def code_of(text: str) -> str:
    """The last fenced Python block of what a text concludes, or all of that."""
    text = conclusion(text)
    blocks = _BLOCK.findall(text) if text.count("```") > 1 else []
    return str(blocks[-1]) if blocks else text


def _sources() -> dict[str, str]:
    folder = resources.files("adaptation.verifiers")
    return {
        f"adaptation/verifiers/{name}.py": (folder / f"{name}.py").read_text("utf-8")
        for name in _MODULES
    }


def _verdict(result: sandbox.SandboxResult, nonce: str) -> tuple[bool, str]:
    """Believe only a complete message that carries the nonce."""
    if result.timed_out:
        return False, "the tests ran out of time"
    try:
        said, passed, detail = json.loads(result.stdout)
    except (ValueError, TypeError):
        return False, f"the tests ended without a verdict (exit status {result.exit})"
    if not isinstance(said, str) or not secrets.compare_digest(said, nonce):
        return False, "the tests ended with a forged verdict"
    return passed is True, str(detail)
