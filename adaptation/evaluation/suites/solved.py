"""A question with a worked solution: the one shape every synthetic task comes in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ANSWER_MARK = "#### "


@dataclass(frozen=True)
class Solved:
    """`rationale` is the whole assistant turn; that of a calculation ends with ``#### answer``."""

    question: str
    rationale: str
    answer: str
    task: str
    """Name of the suite, and of the world where it has several: such as `jargon/7`."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """OpenAI function declarations the question comes with."""


def solved(question: str, work: str, answer: object, task: str) -> Solved:
    """Close the worked solution with its answer line."""
    return Solved(question, f"{work}\n{ANSWER_MARK}{answer}", str(answer), task)


def final_answer(reply: str) -> str | None:
    """The text after the last answer mark of a reply, None where there is none."""
    _, mark, tail = reply.rpartition(ANSWER_MARK)
    return tail.strip() if mark else None
