"""Saturation: questions that are nearly all answered rightly tell no more who is better."""

from __future__ import annotations

from adaptation.learning.monitors.alarm import Alarm

MOST_RIGHT = 0.95
FEWEST = 16


def saturation(right: int, asked: int) -> Alarm | None:
    """Look at how many held-out questions what is served answers rightly."""
    if asked < FEWEST or right <= MOST_RIGHT * asked:
        return None
    told = f"what is served answers {right} of {asked} held-out questions: harder ones are needed"
    return Alarm(monitor="saturation", message=told, value=right / asked, limit=MOST_RIGHT)
