"""Saturation: questions that are nearly all answered rightly tell no more who is better.

From then on harder ones judge (`distillation.hardest`), of a target those of its next level
(`distillation.target`), and practice begins a level higher.
"""

from __future__ import annotations

from adaptation.learning.monitors.alarm import Alarm
from memory.versions.judgements import Judgement

MOST_RIGHT = 0.95
FEWEST = 16


def saturation(right: int, asked: int) -> Alarm | None:
    """Look at how many held-out questions what is served answers rightly."""
    if asked < FEWEST or right <= MOST_RIGHT * asked:
        return None
    told = (
        f"what is served answers {right} of {asked} held-out questions: "
        "harder ones judge next, where there are any"
    )
    return Alarm(monitor="saturation", message=told, value=right / asked, limit=MOST_RIGHT)


def is_saturated(judged: Judgement) -> bool:
    """Whether a generation was judged by questions that are too easy."""
    asked = len(judged.record_ids)
    return saturation(round(judged.before * asked), asked) is not None
