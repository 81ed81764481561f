"""What all examples of a job begin with is computed once.

The examples of a neighbourhood begin with the same system turn and the same words of the template:
often most of each. Under causal attention nothing depends on what follows it, so one copy serves
them all. In attention it comes before each example's own: copies of its keys and values, whose
gradients add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from adaptation.learning.training.sequences import TrainingExample

LEAST_SHARED = 1 / 8
"""Share of all tokens that sharing must save: copying costs something too."""
COPY_COST = 1 / 4
"""Cost of a copied token beside one of its own: it takes part in attention alone."""


def shared_prefix(examples: Sequence[TrainingExample]) -> int:
    """Return how many tokens `examples` begin with alike, none of which predicts a target.

    0 where sharing them would save too little.
    """
    if len(examples) < 2:
        return 0
    beginnings = [example.token_ids[: _before_targets(example)] for example in examples]
    # What the first and the last in order begin with alike, all between them begin with.
    outermost = zip(min(beginnings), max(beginnings), strict=False)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], outermost))
    total = sum(len(example.token_ids) for example in examples)
    return alike if alike * (len(examples) - 1) >= max(1, LEAST_SHARED * total) else 0


def costs(examples: Sequence[TrainingExample]) -> tuple[int, list[int]]:
    """Return what `examples` take of a pass, in tokens: together, and each in addition."""
    shared = shared_prefix(examples)
    return shared, [
        len(example.token_ids) - shared + int(COPY_COST * shared) for example in examples
    ]


def cost(examples: Sequence[TrainingExample]) -> int:
    """Return what `examples` take of a pass, in tokens."""
    together, each = costs(examples)
    return together + sum(each)


def _before_targets(example: TrainingExample) -> int:
    """Return how many tokens lie before the one that predicts the first target."""
    learned = example.loss_mask[1:]
    return learned.index(True) if True in learned else len(learned)
