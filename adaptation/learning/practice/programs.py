"""What a program prints: exercises whose answer is the program's own output in the sandbox.

The deduction task of Absolute Zero (arXiv 2505.03335): a program and its input are given, what it
comes to is asked. A program counts where it ends well, prints a little, and prints it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from adaptation.evaluation.suites.split import Split, split_of
from adaptation.learning.practice.exercise import Exercise, equals
from adaptation.learning.practice.frames import Frame
from adaptation.verifiers import sandbox

LIMITS = sandbox.Limits(wall_s=3.0, cpu_s=1, memory_bytes=256 * 2**20, processes=1)
MOST_PRINTED = 60
"""Characters of one line."""
MOST_CODE = 1_000
BEFORE = "What does this Python program print?\n```python\n"
AFTER = "\n```"
DRAWS = 50
"""For one exercise of the training split."""


async def printed(code: str) -> str | None:
    """Return the one line that a program prints, None where it does anything else."""
    if len(code) > MOST_CODE or "```" in code:
        return None
    first = await sandbox.run(code, b"", LIMITS)
    if first.exit != 0 or first.timed_out:
        return None
    again = await sandbox.run(code, b"", LIMITS)
    if again.stdout != first.stdout:
        return None
    line = first.stdout.decode("utf-8", "replace").strip()
    return line if line and len(line) <= MOST_PRINTED and "\n" not in line else None


FRAME = Frame(BEFORE, AFTER, printed)


@dataclass(frozen=True)
class Programs:
    """Short programs: assignments, then a loop, then a condition in it."""

    name: str = "programs"
    levels: range = range(1, 4)

    async def draw(self, n: int, level: int, seed: int) -> list[Exercise]:
        """Return programs with what they print; raises `VerifierError` without a sandbox."""
        rng, found = Random(f"{self.name} {seed} {level}"), dict[str, Exercise]()
        for _ in range(DRAWS * n):
            question = f"{BEFORE}{WRITTEN[level](rng)}{AFTER}"
            if len(found) < n and split_of(question) is Split.TRAINING and question not in found:
                answer = await FRAME.answer_of(question)
                if answer is not None:
                    found[question] = Exercise(question, answer, self.name, level, equals(answer))
        return list(found.values())


def _assignments(rng: Random) -> str:
    a, b = rng.randint(2, 20), rng.randint(2, 9)
    return f"a = {a}\nb = a {rng.choice('+-*')} {b}\nprint(a {rng.choice('+-*')} b)"


def _loop(rng: Random) -> str:
    first, last, factor = rng.randint(0, 3), rng.randint(4, 8), rng.randint(1, 5)
    return f"s = 0\nfor i in range({first}, {last}):\n    s += {factor} * i\nprint(s)"


def _condition(rng: Random) -> str:
    last, number, other = rng.randint(5, 12), rng.randint(2, 4), rng.randint(1, 9)
    return (
        f"s = {other}\nfor i in range({last}):\n    if i % {number} == 0:\n        s += i\n"
        f"    else:\n        s -= 1\nprint(s)"
    )


WRITTEN = {1: _assignments, 2: _loop, 3: _condition}
