"""Guard probes: what the model could do before must not be lost for what it learned.

Two dozen fixed, general questions with known answers; `far` has those whose replies have a form.
Only those that what is served now answers rightly count, so a small model that knows no geography
is not asked to remember any.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from adaptation.conversation import Conversation, spoken
from adaptation.learning.distillation.counts import Counts, all_kept, counted, together
from memory.types import Message

MAX_LOST_SHARE = 0.1
"""Of the probes that were right, this share may be lost (rounded down): none of fewer than ten.
One flipped reply of twenty is noise, two of eight were forgetting."""


MAX_NEAR_SHARE = 0.1
"""Share of the near guards, and of each family of them, that may be lost; one always may."""
MAX_FAR_FAMILY_SHARE = 0.25
"""Share of a family of far guards that may be lost; it has but a handful, and one always may."""


@dataclass(frozen=True)
class Probe:
    """A question and a pattern that a right reply matches."""

    question: str
    pattern: str
    family: str
    is_taught: ClassVar[bool] = False

    @property
    def conversation(self) -> Conversation:
        """As it is asked."""
        return spoken(Message(role="user", content=self.question))

    def right(self, reply: str) -> bool:
        """Whether `reply` holds the answer."""
        return re.search(self.pattern, reply, re.IGNORECASE) is not None


PROBES = (
    Probe("Hello!", r"\b(hello|hi|hey)\b", "manners"),
    Probe("Thank you!", r"\b(welcome|pleasure|no problem|(glad|happy) to help)\b", "manners"),
    Probe("Who are you?", r"\bI('m| am)\b", "manners"),
    Probe("What is 12 + 7?", r"\b19\b", "sums"),
    Probe("What is 30 - 12?", r"\b18\b", "sums"),
    Probe("Tom has 5 apples. He buys 7 more. How many apples does Tom have?", r"\b12\b", "stories"),
    Probe(
        "Anna has 20 pens. She gives 8 away. How many pens does Anna have?", r"\b12\b", "stories"
    ),
    Probe("Hey", r"\b(hello|hi|hey)\b", "manners"),
    Probe("Introduce yourself.", r"\bI('m| am)\b", "manners"),
    Probe("Goodbye!", r"\bbye|goodbye|see you|farewell\b", "manners"),
    Probe("What is 45 + 38?", r"\b83\b", "sums"),
    Probe("What is 77 - 29?", r"\b48\b", "sums"),
    Probe("What is 9 * 6?", r"\b54\b", "sums"),
    Probe("What is 14 + 5 + 20?", r"\b39\b", "sums"),
    Probe("Max has 35 coins. He loses 16. How many coins does Max have now?", r"\b19\b", "stories"),
    Probe(
        "Lily has 8 cups. She gets 15 more and gives 4 away. How many cups does Lily have?",
        r"\b19\b",
        "stories",
    ),
    Probe(
        "Paul has 50 keys. Then Paul sells 20. Paul finds 7 more. How many keys does Paul have?",
        r"\b37\b",
        "stories",
    ),
    Probe(
        "Ruth has 11 hats. She wins 11 more. How many hats does Ruth have?", r"\b22\b", "stories"
    ),
    Probe("Which is smaller, 40 or 14?", r"\A((?!\b40\b).)*\b14\b|#### 14\b", "sums"),
    Probe("Which is larger, 17 or 71?", r"\A((?!\b17\b).)*\b71\b|#### 71\b", "sums"),
    Probe("What is the capital of France?", r"\bParis\b", "knowledge"),
    Probe("What colour is the sky on a clear day?", r"\bblue\b", "knowledge"),
    Probe("Reply with the single word: yes", r"^\W*yes\W*$", "forms"),
    Probe('Write the JSON object {"a": 1} and nothing else.', r'\{\s*"a"\s*:\s*1\s*\}', "forms"),
)


@dataclass(frozen=True)
class GuardOutcome:
    """How the probes fared."""

    before: int
    """Probes that were right under what is served now; only these count."""
    lost: tuple[str, ...]
    """Guards that the candidate gets wrong."""
    families: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """For each family, how many were lost and how many there were."""
    gained: Mapping[str, int] = field(default_factory=dict)
    """For each family, how many are right now that were wrong; of what was taught none counts."""

    @property
    def held(self) -> bool:
        """Whether no more far guards were lost than may be."""
        return together(self._each.values()).are_kept(MAX_LOST_SHARE, always=0)

    @property
    def spoilt(self) -> tuple[str, ...]:
        """Families of far guards that lost more than they may, and how many of how many."""
        return tuple(
            counts.of(family)
            for family, counts in self._each.items()
            if not counts.are_kept(MAX_FAR_FAMILY_SHARE)
        )

    @property
    def near_held(self) -> bool:
        """Whether no more near guards were lost than may be, of all and of each family."""
        return all_kept(self._each.values(), MAX_NEAR_SHARE)

    @property
    def told(self) -> str:
        """Which families lost how many, and some of the questions."""
        told = (each.of(family) for family, each in self._each.items() if each.lost)
        return f"{', '.join(told)}, such as {'; '.join(self.lost[:3])}"

    @property
    def _each(self) -> dict[str, Counts]:
        return counted(self.families, self.gained)
