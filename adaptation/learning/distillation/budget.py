"""The error budget of a run: what all generations together may promote falsely, and what is left.

Every generation that is judged stakes a part of the budget. A promoted generation gets its stake
back, any other has spent it: the online fallback procedure (Tian and Ramdas 2021, arXiv
1910.04900).
Until the first false promotion every useless generation has spent its stake. So the stakes of
useless generations add up to the budget at most, and the chance of a false promotion is no greater.

With n spent before, the next stakes α / ((n + 1)(n + 2)): of .05 that is .025, .0083, .0042, .0025
and so on. The first can promote a clean sweep of seven questions, the tenth one of thirteen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from adaptation.errors import DistillationError
from adaptation.learning.monitors.saturation import is_saturated
from memory.versions.judgements import Judgement

MOST_USES = 10
"""Generations that a question may help to judge; then it is trained on, and others judge."""
OF_TARGET = "question_"
"""What the ids of a target's questions begin with; those of records do not."""
IDLE = 2
"""Generations in a row that brought nothing, after which a run halts."""
NEWS = 1.25
"""Growth of the training records since the last of them that ends the halt."""


@dataclass(frozen=True)
class History:
    """What the gate has judged for a tenant on one base, the oldest first."""

    judged: Sequence[Judgement] = ()
    elsewhere: Sequence[Judgement] = ()
    """On another base, whose questions judge here too."""

    @property
    def spent(self) -> int:
        """Generations that were judged and not promoted."""
        return sum(not each.promoted for each in self.judged)

    @cached_property
    def uses(self) -> Counter[str]:
        """By record, how many generations it has helped to judge."""
        judged = (*self.judged, *self.elsewhere)
        return Counter(record_id for each in judged for record_id in each.record_ids)

    @property
    def saturated(self) -> bool:
        """Whether the usual questions were once nearly all answered rightly by what was served.

        Harder ones judge from then on: what they leave open does not make the others tell more.
        """
        return any(is_saturated(each) for each in self.judged if not _is_aimed(each))

    def stake(self, alpha: float) -> float:
        """Return the level at which the next generation is judged; `alpha` is that of the run."""
        return alpha / ((self.spent + 1) * (self.spent + 2))

    def left(self, alpha: float) -> float:
        """Return what is left of the budget."""
        return alpha / (self.spent + 1)

    def refuse_idle(self, train: int) -> None:
        """Raise `DistillationError` where a run halts."""
        if self.halts(train):
            raise DistillationError(
                f"the last {IDLE} generations brought nothing, and there is hardly more to learn "
                f"from ({train} records): add verified records, or run it with --anyway"
            )

    def halts(self, train: int) -> bool:
        """Whether the last generations brought nothing, and there is hardly more to learn from."""
        last = self.judged[-IDLE:]
        idle = len(last) == IDLE and not any(each.promoted for each in last)
        return idle and train < NEWS * last[-1].train


def _is_aimed(judgement: Judgement) -> bool:
    """Whether the questions of a target judged, and not the usual ones."""
    return any(record_id.startswith(OF_TARGET) for record_id in judgement.record_ids)
