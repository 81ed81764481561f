"""`make bench-sandbox`: what isolation costs a grade by Python tests.

The same answer is graded in the sandbox and, in turns, by the same two processes without it: the
overhead of a pair is the difference of the two. Also whether the sandbox lets anything through:
`python -m tests.adaptation.verifiers.tries`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from adaptation.verifiers import sandbox
from adaptation.verifiers.python_tests import PythonSpec, PythonTests, Run
from loadtests import arguments
from server.terminal import write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_sandbox                     the figure of docs/verifiers.md
  python -m loadtests.bench_sandbox --pairs 500         more of them
  python -m loadtests.bench_sandbox --json FILE         and as JSON
"""
ANSWER = "def add(a, b):\n    return a + b\n"
SPEC = PythonSpec(type="python", tests="assert add(1, 2) == 3\nassert add(-1, 1) == 0")
WARM_UP = 5


async def bare(
    code: str,
    stdin: bytes,
    limits: sandbox.Limits,
    *,
    modules: Mapping[str, str],
    fds: tuple[int, ...],
) -> sandbox.SandboxResult:
    """Run a program as `sandbox.run` does, but with nothing around it: for trusted code only."""
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, modules)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-B", "-c", code.replace("/program", folder),
                pass_fds=fds, stdin=-1, stdout=-1, stderr=-1, start_new_session=True,
            )  # fmt: skip
        finally:
            for fd in fds:
                os.close(fd)
        out, err, timed_out = b"", b"", False
        try:
            async with asyncio.timeout(limits.wall_s):
                out, err = await process.communicate(stdin)
        except TimeoutError:
            timed_out = True
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return sandbox.SandboxResult(process.returncode or 0, out, err, timed_out, False)


def _write(folder: str, modules: Mapping[str, str]) -> None:
    for path, source in modules.items():
        file = Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)


async def _grade_ms(run: Run) -> float:
    """Grade once, and return the time of it in milliseconds."""
    begun = time.perf_counter()
    report = await PythonTests(SPEC, run).verify(question="", text=ANSWER, answer=None)
    if not report.passed:
        raise SystemExit(f"a right answer was refused: {report.detail}")
    return (time.perf_counter() - begun) * 1000


async def measure(pairs: int, console: Console) -> dict[str, list[float]]:
    """Return the milliseconds of every grade, with and without the sandbox, in turns."""
    runs: dict[str, Run] = {"sandboxed": sandbox.run, "bare": bare, "bare again": bare}
    times: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for turn in track(range(WARM_UP + pairs), "grading", console=console, transient=True):
        order = [*order[1:], order[0]]
        for name in order:
            taken = await _grade_ms(runs[name])
            if turn >= WARM_UP:
                times[name].append(taken)
    return times


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(times: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Median and 95th percentile, in ms, of each way and of the difference within pairs.

    `noise` is the difference of two grades that are both bare: less than it cannot be told.
    """
    bare = times["bare"]
    rows = {
        **times,
        "overhead": [one - other for one, other in zip(times["sandboxed"], bare, strict=True)],
        "noise": [one - other for one, other in zip(times["bare again"], bare, strict=True)],
    }
    return {
        name: {"p50": statistics.median(row), "p95": percentile(row, 0.95)}
        for name, row in rows.items()
    }


def main() -> None:
    """Measure and print."""
    parser = arguments.parser("bench_sandbox", __doc__, EXAMPLES)
    parser.add_argument("--pairs", type=int, default=100, help="of grades (default: 100)")
    parser.add_argument("--json", metavar="FILE", help="file of the figures")
    args = parser.parse_args()
    console = Console()
    if not sandbox.available().usable:
        raise SystemExit(sandbox.available().detail)
    found = figures(asyncio.run(measure(args.pairs, console)))
    table = Table("a grade by tests", "p50 ms", "p95 ms", title=f"{args.pairs} pairs")
    for name, row in found.items():
        table.add_row(name, f"{row['p50']:.1f}", f"{row['p95']:.1f}")
    console.print(table)
    write_json(found, args.json)


if __name__ == "__main__":
    main()
