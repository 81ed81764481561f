"""What each reply's draws are seeded by, whoever draws it. Needs no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from adaptation.learning.training.trainer import Draw
from memory.text import digest


def seeds_of(draw: Draw, prompts: Sequence[Sequence[int]]) -> list[str]:
    """Return for each prompt's tokens the seed of its reply, in hex.

    It is made of the draw's seed, the prompt, and how many replies to the same prompt came before:
    a reply is the same whatever is asked beside it.
    """
    before = Counter[tuple[int, ...]]()
    found = []
    for prompt in map(tuple, prompts):
        found.append(digest([draw.seed, prompt, draw.first + before[prompt]]))
        before[prompt] += 1
    return found
