"""Seeded questions with known answers, from the task generators of the built-in model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

from adaptation.answers import extract, same_answer
from adaptation.options import AnswerOptions
from adaptation.pebble.arithmetic import arithmetic, calculation, equation
from adaptation.pebble.solved import Solved
from adaptation.pebble.worlds import FIRST_TRAINING_SEED, Jargon

TASK = "whet-tour"
"""The task that imported examples are filed under, so that they mix with nobody's memory."""

EVERYDAY = (
    lambda rng: arithmetic(rng, rng.choice((4, 5))),
    lambda rng: calculation(rng, rng.choice((3, 4))),
    equation,
)
"""Arithmetic of the kinds and lengths the built-in model was trained on, the harder ones: what one
sample always gets right, or never, tells nothing about votes."""


def everyday(count: int, seed: int) -> list[Solved]:
    """Return different questions in the model's own domain, the kinds in turn."""
    rng = Random(f"everyday {seed}")
    found: dict[str, Solved] = {}
    while len(found) < count:
        task = EVERYDAY[len(found) % len(EVERYDAY)](rng)
        found.setdefault(task.question, task)
    return list(found.values())


def jargon(seed: int) -> Jargon:
    """Return a world from the seeds that pre-training never drew from."""
    return Jargon(seed % FIRST_TRAINING_SEED)


def import_lines(tasks: Sequence[Solved]) -> str:
    """Return solved questions as the JSON lines that `/v1/memory/import` takes."""
    return "".join(
        json.dumps(
            {"question": t.question, "answer": t.answer, "rationale": t.rationale, "task": TASK}
        )
        + "\n"
        for t in tasks
    )


def answer_in(text: str) -> str | None:
    """Return the answer that a reply gives, read as the server reads it."""
    found = extract(text, AnswerOptions())
    return found.text if found and found.structured else None


def is_right(answer: str | None, task: Solved) -> bool:
    """Whether an answer is the task's."""
    return answer is not None and same_answer(answer, task.answer)
