"""`grade(sample, item)` of a tenant's own program, run in the sandbox of the verifiers.

The program has Python's standard library and nothing else. A score counts only where it comes with
a nonce that the program is not told: one that ends early, or prints what looks like a score, has
none. A grader that executes what the model wrote is in one process with it: its score is as good as
the model is honest.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from typing import Any

from adaptation.errors import VerifierError
from adaptation.grading.errors import Fault, GradingError
from adaptation.verifiers import sandbox

LIMITS = sandbox.Limits(wall_s=30.0, cpu_s=30)
SHOWN = 500
_MAIN = """
import json, os, sys
def main():
    order = json.loads(sys.stdin.buffer.read())
    nonce, verdicts = order["nonce"], os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    def say(kind, value):
        verdicts.write(json.dumps([nonce, kind, value]))
        verdicts.flush()
    space = {"__name__": "grader"}
    try:
        exec(compile(order["source"], "grader.py", "exec"), space)
        value = space["grade"](order["sample"], order["item"])
    except BaseException as error:
        say("error", f"{type(error).__name__}: {error}"[:500])
    else:
        say("score", float(value) if isinstance(value, (int, float)) else repr(value)[:100])
main()
"""


async def run(source: str, sample: Mapping[str, Any], item: Mapping[str, Any]) -> float:
    """Return the score that a program gives; raises `GradingError`."""
    nonce = secrets.token_hex(16)
    order = {"nonce": nonce, "source": source, "sample": sample, "item": item}
    try:
        result = await sandbox.run(_MAIN, json.dumps(order).encode(), LIMITS)
    except VerifierError as error:
        raise GradingError(Fault.PYTHON_SERVER, str(error)) from error
    if result.timed_out:
        raise GradingError(Fault.PYTHON_RUNTIME, f"it ran longer than {LIMITS.wall_s:g} seconds")
    kind, value = _verdict(result, nonce)
    if kind == "error":
        raise GradingError(Fault.PYTHON_RUNTIME, str(value)[:SHOWN])
    if not isinstance(value, float) or not math.isfinite(value):
        told = f"`grade` returned {value!r}, not a number"
        raise GradingError(Fault.PYTHON_RUNTIME, told)
    return value


def _verdict(result: sandbox.SandboxResult, nonce: str) -> tuple[str, Any]:
    try:
        said, kind, value = json.loads(result.stdout)
    except (ValueError, TypeError) as error:
        why = result.stderr.decode(errors="replace").strip()[-SHOWN:]
        told = f"it ended without a score (exit status {result.exit}): {why}"
        raise GradingError(Fault.PYTHON_RUNTIME, told) from error
    if not isinstance(said, str) or not secrets.compare_digest(said, nonce):
        raise GradingError(Fault.PYTHON_RUNTIME, "it ended with a forged score")
    return str(kind), value
