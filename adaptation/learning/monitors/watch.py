"""All monitors, over one generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adaptation.learning.monitors.alarm import Alarm
from adaptation.learning.monitors.autophagy import autophagy
from adaptation.learning.monitors.collapse import collapse
from adaptation.learning.monitors.drift import drift
from adaptation.learning.monitors.returns import returns
from adaptation.learning.monitors.reward_hacking import reward_hacking
from adaptation.learning.monitors.saturation import saturation
from adaptation.learning.monitors.stagnation import stagnation
from adaptation.learning.monitors.traffic import traffic
from memory.types import Record
from memory.versions.judgements import Judgement


@dataclass(frozen=True)
class Graded:
    """Replies to held-out questions, and whether each was right."""

    texts: Sequence[str]
    right: Sequence[bool]


@dataclass(frozen=True)
class Seen:
    """What a generation has measured."""

    train: Sequence[Record]
    before: Graded
    """What was served."""
    after: Graded
    """The candidate."""
    probes_before: Mapping[str, str]
    """Replies to guard probes, by question; empty where none were asked."""
    probes_after: Mapping[str, str]
    judged: Sequence[Judgement]
    """All generations, this one last."""
    divergence: float | None = None
    """KL(candidate ‖ base) on guard probes, nats a token."""
    nearest: Sequence[float] = ()
    """Similarity of the nearest neighbour in memory, for each question served lately."""


def watch(seen: Seen) -> tuple[Alarm, ...]:
    """Return the alarms that the monitors give."""
    before, after = seen.before, seen.after
    found = (
        collapse(before.texts, after.texts),
        reward_hacking((before.texts, before.right), (after.texts, after.right)),
        drift(seen.probes_before, seen.probes_after, seen.divergence),
        autophagy(seen.train),
        stagnation(seen.judged),
        saturation(sum(before.right), len(before.right)),
        returns(seen.judged),
        traffic(seen.nearest),
    )
    return tuple(alarm for alarm in found if alarm is not None)
