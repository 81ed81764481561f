"""A question with a worked solution: the one shape every synthetic task comes in."""

from dataclasses import dataclass

ANSWER_MARK = "#### "


@dataclass(frozen=True)
class Solved:
    """`rationale` is the whole assistant turn; its last line is ``#### answer``."""

    question: str
    rationale: str
    answer: str
    task: str


def solved(question: str, work: str, answer: object, task: str) -> Solved:
    """Close the worked solution with its answer line."""
    return Solved(question, f"{work}\n{ANSWER_MARK}{answer}", str(answer), task)


def final_answer(reply: str) -> str | None:
    """The text after the last answer mark of a reply, None where there is none."""
    _, mark, tail = reply.rpartition(ANSWER_MARK)
    return tail.strip() if mark else None
