"""What a generation did, fit for JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adaptation.learning.candidates.choosing import Choice
from adaptation.learning.candidates.solutions import Bare
from adaptation.learning.monitors.alarm import Alarm
from adaptation.learning.monitors.returns import Returns
from adaptation.learning.training.trainer import Recipe
from memory.types import Frozen
from memory.versions.release import Stage


class Accuracy(Frozen):
    """Share of held-out questions answered rightly."""

    base: float
    current: float
    """Under the adapter served now; the base's own where none is."""
    candidate: float


class Aim(Frozen):
    """The target whose development questions judge a generation."""

    name: str
    level: int | None = None
    """How difficult they are; None in versions that do not say, as the suite has it."""
    questions: int
    """Questions that could be asked."""
    asked: int | None = None
    right: Accuracy | None = None
    """Before and after; None where nothing was judged."""


class Training(Frozen):
    """How the candidate was trained."""

    rank: int
    steps: int
    loss: tuple[float, float]
    """Loss of the first and the last mini-batch, nats per target token."""
    tokens: int
    flops: float
    seconds: float
    recipe: Recipe | None = None
    """As it was followed, its seed included."""


class Guards(Frozen):
    """How guard probes fared."""

    known: int
    lost: tuple[str, ...]
    families: dict[str, tuple[int, int]] = Field(default_factory=dict)
    """For each family, how many were lost and how many there were."""
    gained: dict[str, int] = Field(default_factory=dict)
    """For each family, how many are right that were wrong; of what was taught none counts."""
    unknown: tuple[str, ...] = ()
    """Families of which what is served answers nothing: they guard nothing."""
    length: float | None = None
    """Median length of the candidate's replies, divided by that of the replies before."""


class Sampled(Frozen):
    """What K samples of some questions came to: (of what is served, of the candidate)."""

    k: int
    asked: int
    """Questions: far guards and held-out ones."""
    passed: tuple[int, int]
    """How many of them at least one sample answers rightly."""
    lost: int
    """How many are lost that samples of what is served had found."""
    families: dict[str, tuple[int, int]] = Field(default_factory=dict)
    """For far guards and held-out questions, how many are lost and how many were found."""
    gained: dict[str, int] = Field(default_factory=dict)
    """For each of these, how many are found that were not."""
    different: tuple[float, float]
    """Different replies to a far guard, in the mean."""
    different_right: tuple[float, float]
    length: tuple[float, float]
    """Median length of replies to far guards, in characters."""
    divergence: float | None
    """KL(candidate ‖ base) on far guards, nats a token; None where it cannot be told."""


class Budget(Frozen):
    """What a generation staked of the error budget of its run."""

    alpha: float
    """The generation's stake: the chance that it is promoted though it is no better."""
    left: float
    """What was left of the run's budget before."""
    spent: int
    """Generations before it that were judged and not promoted."""


class Drawn(Frozen):
    """How the parent of a generation was drawn from the archive."""

    seed: int
    among: int
    """Versions, the base included."""
    chance: float
    """The chance of the version that was drawn."""


class Doubt(Frozen):
    """A record that is probably wrong: it is held for review, and nothing learns from it."""

    record_id: str
    reason: str
    near: tuple[str, ...]
    """The records whose questions are most like its own."""


class GenerationReport(Frozen):
    """One generation: selected, trained, judged, promoted or not."""

    tenant: str
    base_model: str
    teacher: str | None = None
    """The base that the records were selected and prepared with, where it is another."""
    decision: Literal["promoted", "passed", "rejected", "dry_run"]
    """`passed`: the gate let it through, and it is not the champion yet; see `stage`."""
    reasons: tuple[str, ...]
    train: int
    holdout: int
    hardest_first: bool = False
    """Whether the hardest held-out questions judge first, as others are nearly all answered."""
    unverified: int
    """Active records left out because their tier may not reach weights."""
    unlearnable: int = 0
    """Records left out because they cannot be rendered for this model."""
    obstacle: str | None = None
    """Why the first of them cannot."""
    doubts: tuple[Doubt, ...] = ()
    """What was held back for review."""
    bare: Bare = "learn"
    """What became of bare corrections: as it was in versions that do not say."""
    written: int = 0
    """Bare corrections whose solution the model wrote."""
    unsolved: int = 0
    """Bare corrections left out as it wrote none that came to the answer."""
    selection: Choice | None = None
    """How it was chosen what to learn from; None in a dry run and where a version is rebuilt."""
    sources: dict[str, int] = Field(default_factory=dict)
    """Training records by where they are from."""
    real_share: float | None = None
    """Share of the training records that people asked or brought."""
    practice_left_out: int = 0
    """Records left out so that real ones keep their share."""
    target: Aim | None = None
    """What was aimed at; None: questions of the tenant's own records judge."""
    tasks: dict[str, int]
    """Training records by task; those without one under the empty name."""
    current: str | None
    """Id of the adapter served when the generation began; None for the base."""
    adapter: str | None = None
    """Id of the candidate."""
    stage: Stage | None = None
    """Where its release begins, where it passed."""
    parent: str | None = None
    """The version it was trained on from; None: the base."""
    drawn: Drawn | None = None
    """How the parent came to be that one, where the archive was asked."""
    rebuilds: str | None = None
    """The version that this one was trained in the place of, without what was erased since."""
    gone: int = 0
    """Records that the one before had learned from and this one could not."""
    accuracy: Accuracy | None = None
    helped: int | None = None
    hurt: int | None = None
    p_value: float | None = None
    """Valid whenever one stops asking: 1 / `e_value`."""
    e_value: float | None = None
    """What a bet against luck came to; 1 / `budget.alpha` promotes."""
    asked: int | None = None
    """Held-out questions that were asked before it was decided."""
    budget: Budget | None = None
    guards: Guards | None = None
    """The far ones."""
    near_guards: Guards | None = None
    sampled: Sampled | None = None
    """Far guards and held-out questions that were sampled."""
    refusal_shift: float | None = None
    """What refusing lost against complying, nats a token; None without refusals."""
    alarms: tuple[Alarm, ...] = ()
    returns: Returns | None = None
    """What it gained for what it cost; None where nothing was judged."""
    training: Training | None = None
    seconds: float
