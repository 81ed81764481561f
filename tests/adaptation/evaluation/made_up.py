"""Runs that nobody made, for tests of what is said about runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from adaptation.evaluation.results import Header, Results
from adaptation.evaluation.suites.suite import Group
from adaptation.evaluation.trial import Case, Trial

SUITES = {
    Group.IN_DISTRIBUTION: ("stories", "orders", "countdown", "units", "lists", "equations"),
    Group.SHIFTED: ("jargon", "house_rules", "house_format", "facts"),
    Group.GUARD: ("conversation", "json_objects", "tool_calls", "refusal"),
}
ARMS = {
    "greedy": (0.62, 70, 0.35),
    "one": (0.58, 72, 0.35),
    "vote": (0.74, 1150, 1.9),
    "consistency": (0.73, 420, 1.1),
    "demos-4": (0.57, 75, 0.5),
    "demos-8": (0.55, 78, 0.6),
    "demos-16": (0.5, 80, 0.9),
    "demos-16+vote": (0.64, 1240, 3.4),
    "copy": (0.08, 0, 0.002),
    "ttt": (0.72, 450, 4.2),
    "auto": (0.74, 440, 2.1),
}
"""Accuracy where nothing shifted, generated tokens and seconds of a question."""
GAIN = {"demos-4": 0.1, "demos-8": 0.15, "demos-16": 0.18, "demos-16+vote": 0.25, "copy": 0.25}
LOSS = {"ttt": -0.15, "auto": -0.2}
WORLDS = 6
"""Of each suite that is shifted."""
"""How far an arm falls where the world shifted; the others fall by 0.5."""


def header(**changes: Any) -> Header:
    suites = [name for names in SUITES.values() for name in names]
    return Header(
        **{
            "model": "whet-pebble",
            "model_version": "5f2a",
            "server": "whet 0.1.0",
            "code_version": ("0.1.0+9eddd9b",),
            "data_version": {name: f"{name}-1" for name in suites},
            "seed": 1,
            "questions": 100,
            "levels": dict.fromkeys(suites, 2),
            "split": "evaluation",
            "examples": 64,
            "temperature": 1.0,
            "votes": 16,
            "max_tokens": 512,
            "parallel": 4,
            **changes,
        }
    )


def trial(
    number: int = 0, right: bool = True, *, suite: str = "units", arm: str = "one", **fields: Any
) -> Trial:
    case = Case(
        suite=suite,
        level=fields.pop("level", 2),
        world=fields.pop("world", 0),
        number=number,
        arm=arm,
    )
    return Trial(
        **{
            "case": case,
            "group": Group.IN_DISTRIBUTION,
            "question": f"{suite} {number}?",
            "reply": "#### 1",
            "right": right,
            "generated_tokens": 10,
            "seconds": 0.5,
            **fields,
        }
    )


def refused(number: int = 0, *, arm: str = "one") -> Trial:
    return trial(
        number,
        False,
        arm=arm,
        error="request refused: HTTP 400",
        refused=True,
        generated_tokens=0,
        seconds=0.0,
    )


def outcomes(arm: str, rights: Sequence[bool], **fields: Any) -> list[Trial]:
    """One trial for each outcome, numbered from 0."""
    return [trial(number, bool(right), arm=arm, **fields) for number, right in enumerate(rights)]


def run(*trials: Sequence[Trial], **changes: Any) -> Results:
    return Results(header(**changes), [each for some in trials for each in some])


def realistic(questions: int = 60, seed: int = 1, bonus: Mapping[str, float] = {}) -> Results:
    """All suites under all arms, with errors and fallbacks as they happen."""
    rng = Random(seed)
    trials = [
        _drawn(rng, group, suite, arm, number, bonus.get(arm, 0.0))
        for group, suites in SUITES.items()
        for suite in suites
        for number in range(questions)
        for arm in ARMS
    ]
    return Results(header(questions=questions), trials)


def _drawn(rng: Random, group: Group, suite: str, arm: str, number: int, bonus: float) -> Trial:
    accuracy, tokens, seconds = ARMS[arm]
    if group is Group.SHIFTED:
        accuracy += GAIN.get(arm, 0.0) + LOSS.get(arm, -0.5)
    elif group is Group.GUARD and arm != "copy":
        accuracy = min(0.97, accuracy + 0.25)
    ease = Random(f"{suite} {number}").uniform(-0.25, 0.25)  # questions are alike to all arms
    chance = accuracy + ease + bonus
    raised = suite == "json_objects" and rng.random() < 0.01
    fallen = arm in ("ttt", "auto") and rng.random() < 0.06
    sampled = arm in ("vote", "demos-16+vote")
    right = rng.random() < chance and not raised
    number, world = divmod(number, WORLDS) if group is Group.SHIFTED else (number, 0)
    return trial(
        number,
        right,
        suite=suite,
        world=world,
        arm=arm,
        group=group,
        error="verifier raised KeyError: 'unit'" if raised else None,
        samples=16 if sampled else 1,
        any_right=(right or rng.random() < 0.4) if sampled else None,
        share_right=min(1.0, max(0.0, chance - 0.12)) if sampled else None,
        generated_tokens=round(tokens * rng.uniform(0.6, 1.5)),
        training_tokens=3000 if arm == "ttt" else 0,
        seconds=seconds * rng.lognormvariate(0, 0.3),
        fallback="no neighbour is similar enough" if fallen else None,
    )
