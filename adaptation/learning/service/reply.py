"""One reply under way, and all that is asked of replies that are decoded together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

from adaptation.learning.training.trainer import Draw

ALIKE = 3
"""Tokens that were said before, from which on what followed them is guessed again."""


@dataclass(frozen=True)
class Asked:
    """Prompts, and how each is to be answered."""

    prompts: Sequence[Sequence[int]]
    most: int
    """Tokens of a reply, at most."""
    stops: set[int]
    """Tokens that end it."""
    draw: Draw | None
    """None: the likeliest tokens."""
    cancelled: threading.Event
    penalty: float = 1.0
    """By which what was said before is less likely, prompts included; 1: it is not."""


@dataclass
class Reply:
    """A reply under way."""

    place: int
    prompt: Sequence[int]
    said: list[int] = field(default_factory=list)
    has_ended: bool = False

    def take(self, tokens: Sequence[int], asked: Asked) -> None:
        """Say tokens, up to what ends it."""
        for token in tokens:
            if self.has_ended:
                return
            if token not in asked.stops:
                self.said.append(token)
            self.has_ended = token in asked.stops or len(self.said) == asked.most

    def guess(self, n: int) -> list[int]:
        """Return n tokens that may follow: those that followed when it last said the same.

        Where it goes round in a circle, so does the guess; nothing where it says something new.
        """
        so_far = [*self.prompt, *self.said]
        tail = so_far[-ALIKE:]
        for end in range(len(so_far) - 1, ALIKE - 1, -1):
            if so_far[end - ALIKE : end] == tail:
                return [*islice(cycle(so_far[end:]), n)]
        return []
