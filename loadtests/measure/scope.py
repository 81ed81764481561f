"""What a champion is worth that answers near questions, by how near. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import NamedTuple


@dataclass(frozen=True)
class Answered:
    """One question, answered by the base and by the champion."""

    suite: str
    similarity: float
    """Cosine to the nearest question that the champion learned from."""
    base: bool
    """Whether the base is right; likewise below."""
    champion: bool
    alike: bool
    """Whether both said the same, word for word."""


class Worth(NamedTuple):
    """Shares of some questions, under one threshold."""

    served: float
    """Given to the champion."""
    right: float
    """Where the champion answers what is near, and the base the rest."""
    changed: float
    """Answered otherwise than by the base."""


def worth(answered: Sequence[Answered], least: float) -> Worth:
    """Return what becomes of the questions where the champion answers from a cosine of `least`."""
    near = [each.similarity >= least for each in answered]
    pairs = list(zip(answered, near, strict=True))
    return Worth(
        served=mean(near),
        right=mean(each.champion if inside else each.base for each, inside in pairs),
        changed=mean(inside and not each.alike for each, inside in pairs),
    )
