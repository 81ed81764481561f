"""What is odd about a record beside others that ask for the same. No model is asked."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from adaptation.verifiers.sums import wrong_sums
from memory.identity.answer_key import value_key
from memory.identity.answers import agree
from memory.identity.answers.arithmetic import value_and_numbers
from memory.identity.answers.canonical import read_value
from memory.identity.answers.choice import letter_of
from memory.identity.answers.fold import undecorate
from memory.text import folded
from memory.types import Record

FEWEST_ALIKE = 4
"""Records that ask for the same, without which nothing is odd."""
USUAL = 0.75
"""What so many of them have in common is the rule."""
RARE = 0.05
"""What more of them have is an exception that they know."""
NUMBER = "a number"
"""The form of one without a unit."""
_WORD, _GAP = re.compile(r"\w{2,}"), re.compile(r"\s+(?=[?.,:;])")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def form_of_answer(answer: str) -> str:
    """Return what an answer looks like: two of one form differ in their values only."""
    stripped = undecorate(answer)
    if stripped[:1] == "{":
        return "JSON"
    if letter_of(answer):
        return "a letter"
    side = read_value(stripped)
    if side is not None and side.number is not None and not side.symbol:
        return f"{NUMBER} of {side.unit}" if side.unit else NUMBER
    masked = _NUMBER.sub("#", folded(stripped))
    return f"`{masked}`" if "#" in masked else "words"


def of_another_form(own: str, others: Sequence[str]) -> str | None:
    """Return how a form of answer is another than those of answers to the like, if it is."""
    if len(others) < FEWEST_ALIKE:
        return None
    counts = Counter(others)
    usual, n = counts.most_common(1)[0]
    if n < USUAL * len(others) or counts[own] > RARE * len(others):
        return None
    return f"its answer is {own}, where {n} of {len(others)} that ask for the same have {usual}"


def contradictions(records: Sequence[Record]) -> dict[int, tuple[int, ...]]:
    """Return by place which records answer the question of a record otherwise.

    Memory tells so of one and the same question; here it may be dressed otherwise.
    """
    asked: dict[Hashable, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        turns = tuple((turn.role, _undressed(turn.content)) for turn in record.messages)
        asked[turns, repr(record.request)].append(place)
    found: dict[int, tuple[int, ...]] = {}
    for same in (places for places in asked.values() if len(places) > 1):
        keys = {place: value_key(records[place].answer) for place in same}
        for place, key in keys.items():
            if others := tuple(other for other in same if not agree(key, keys[other])):
                found[place] = others
    return found


def wrong_work(record: Record, alike: Sequence[Record]) -> str | None:
    """Return what is wrong with the sums that a solution states, where those of others hold."""
    if not (wrong := _wrong_whole_sums(record.rationale)):
        return None
    stated = [found for each in alike if (found := _wrong_whole_sums(each.rationale)) is not None]
    holding = sum(not found for found in stated)
    if len(stated) < FEWEST_ALIKE or holding < USUAL * len(stated):
        return None
    return f"its solution says {wrong[0]}"


def far_above(value: float, others: Sequence[float], *, times: float, by: float) -> float | None:
    """Return what `USUAL` of the others are below, where a value is so many times as high."""
    if len(others) < FEWEST_ALIKE:
        return None
    usual = sorted(others)[math.ceil(USUAL * len(others)) - 1]
    return usual if value > times * usual and value > usual + by else None


def _undressed(text: str) -> str:
    """Return a text without what says nothing; signs and single letters (`A`, `x`) do."""
    words = _WORD.sub(lambda word: word[0].casefold(), _GAP.sub("", text))
    return " ".join(words.split()).rstrip("?.:")


def _wrong_whole_sums(text: str) -> list[str] | None:
    """Return wrong sums that come to a whole number: any other may be rounded, or have a rest."""
    found = wrong_sums(text)
    return None if found is None else [stated for stated in found if _is_whole(stated)]


def _is_whole(stated: str) -> bool:
    value = value_and_numbers(stated.partition("=")[0])
    return value is not None and value[0].denominator == 1
