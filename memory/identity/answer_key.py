"""The key of an answer that stands by itself, as memory keeps it: the key of its vote."""

from __future__ import annotations

from memory.identity.answers import Answer, agree, canonical, extract
from memory.identity.answers.canonical import read_value
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.markers import marked_values
from memory.identity.answers.options import AnswerOptions
from memory.text import digest

_AUTO = AnswerOptions()


def answer_key(answer: str) -> str:
    """Return the hash of an answer's value: `1/2` and `0.5` have one."""
    return digest(["answer", value_key(answer)])


def same_answer(one: str, other: str) -> bool:
    """Whether two answers to one question agree: `5` is `5 km` where nothing else has a unit."""
    return agree(value_key(one), value_key(other))


def value_key(answer: str) -> str:
    """Return the key of what a text says, read as a reply that says nothing else would be."""
    found: Answer | None = extract(answer, _AUTO)
    return found.key if found is not None and found.structured else canonical(answer)


def worked_answer(text: str) -> str:
    """Return the answer that a worked solution marks as its own; a text without a mark is it."""
    said = conclusion(text).strip()
    _, hashes, tail = said.rpartition("####")
    is_marked = hashes and tail.strip() and "\n" not in tail.strip()
    return next(iter(marked_values(said)), tail.strip() if is_marked else said)


def contradiction(solution: str, answer: str) -> str | None:
    """Return in a sentence that a worked solution comes to another number than the answer.

    Only numbers are told apart, of one unit: of words and letters, what is marked may be more than
    the answer.
    """
    other = read_value(answer)
    if other is None or other.number is None:
        return None
    found = extract(solution, _AUTO)
    if found is not None and agree(found.key, value_key(answer)):
        return None
    marked = worked_answer(solution)
    is_marked = marked != conclusion(solution).strip()
    stated = marked if is_marked else found.text if found and found.structured else ""
    one = read_value(stated)
    if one is None or one.number is None or one.unit != other.unit:
        return None
    if agree(value_key(stated), value_key(answer)):
        return None
    return f"the solution comes to {stated[:100]}, not to {answer[:100]}"
