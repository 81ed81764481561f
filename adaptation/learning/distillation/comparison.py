"""A student beside its teacher: how large, how fast and how often right each of them is.

All answer the same held-out questions, in the same way: greedily, decoded in batches by the
trainer. So tokens a second compare them; what an engine makes of them is another figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.training.trainer import Generated
from adaptation.statistics import paired, score_difference, wilson
from memory.types import Frozen

TRAINED = "trained student"


class Extent(Frozen):
    """How large a model or an adapter is; None: its files do not tell."""

    parameters: int | None = None
    bytes: int | None = None
    """Bytes of its weights on disk."""

    def __add__(self, more: Extent) -> Extent:
        return Extent(
            parameters=_sum(self.parameters, more.parameters), bytes=_sum(self.bytes, more.bytes)
        )


class Arm(Frozen):
    """One of the arms that were asked."""

    name: str
    """`teacher`, `teacher's champion`, `student`, `student's champion` or `trained student`."""
    model: str
    adapter: str | None = None
    """Id of the version on it; its size counts."""
    parameters: int | None
    bytes: int | None
    right: int
    asked: int
    low: float
    """Lower end of Wilson's 95 % interval for the share that is right."""
    high: float
    tokens: int
    """Tokens of all its replies, by its own tokenizer."""
    seconds: float
    tokens_per_s: float | None
    """None where that took no time."""
    seconds_per_reply: float


class Evidence(Frozen):
    """The trained student against another, question by question."""

    against: str
    helped: int
    """Wrong by the other, right by the student."""
    hurt: int
    p_value: float
    """McNemar's exact test, two-sided."""
    difference: float
    """Difference of the shares, with Tango's 95 % interval."""
    low: float
    high: float


class Comparison(Frozen):
    """All arms that were asked, side by side."""

    arms: tuple[Arm, ...]
    evidence: tuple[Evidence, ...]


class StudentReport(GenerationReport):
    """A student's generation, and what it came to beside the teacher."""

    comparison: Comparison | None = None
    """None in a dry run."""
    warnings: tuple[str, ...] = ()
    displaced: str | None = None
    """The champion of another base that the student has taken the place of."""
    serve: str = ""
    """The command that serves the student's base, and what is the champion on it."""


def report_in(result: Mapping[str, Any]) -> GenerationReport:
    """Return the report that a job's result is; raises `ValidationError` for another's."""
    kind = StudentReport if "comparison" in result else GenerationReport
    return kind.model_validate(result)


@dataclass(frozen=True)
class Answered:
    """What one of them said, as it is compared."""

    name: str
    model: str
    adapter: str | None
    extent: Extent
    generated: Generated
    right: Mapping[str, bool]
    """By id of the question's record."""

    def arm(self, asked: Sequence[str]) -> Arm:
        """Return it for the report, by the questions that all were asked."""
        right = sum(self.right[each] for each in asked)
        share = wilson(right, len(asked))
        tokens, seconds = self.generated.tokens, self.generated.seconds
        return Arm(
            name=self.name,
            model=self.model,
            adapter=self.adapter,
            parameters=self.extent.parameters,
            bytes=self.extent.bytes,
            right=right,
            asked=len(asked),
            low=share.low,
            high=share.high,
            tokens=tokens,
            seconds=seconds,
            tokens_per_s=tokens / seconds if seconds else None,
            seconds_per_reply=seconds / len(self.generated.texts),
        )


def compared(answers: Sequence[Answered]) -> Comparison:
    """Hold the trained student, the last of them, against all others."""
    *others, trained = answers
    asked = [each for each in trained.right if all(each in other.right for other in others)]
    return Comparison(
        arms=tuple(each.arm(asked) for each in answers),
        evidence=tuple(_evidence(trained, other, asked) for other in reversed(others)),
    )


def _evidence(trained: Answered, other: Answered, asked: Sequence[str]) -> Evidence:
    found = paired([other.right[each] for each in asked], [trained.right[each] for each in asked])
    difference = score_difference(found.helped, found.hurt, len(asked))
    return Evidence(
        against=other.name,
        helped=found.helped,
        hurt=found.hurt,
        p_value=found.p_value,
        difference=difference.value,
        low=difference.low,
        high=difference.high,
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
