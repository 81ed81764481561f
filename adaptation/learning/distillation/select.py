"""Which records a generation learns from, and which it is judged by.

The split is by a hash of the question, so a question that was once held out stays held out in
every later generation, and two records of one question never lie on both sides.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from pydantic import Field

from adaptation.errors import DistillationError
from adaptation.learning.candidates.choosing import Picked
from adaptation.learning.candidates.solutions import Bare
from adaptation.learning.distillation.budget import MOST_USES
from adaptation.learning.distillation.mixing import mixed
from memory.text import folded
from memory.types import TIERS_THAT_TRAIN, AdapterVersion, Frozen, Record, State

Rates = Callable[[Sequence[Record], Sequence[Record]], Sequence[float]]
"""(held out, learned from) → pass rates that are expected of the former."""
Group = list[Record]
"""Records of one question: the strongest tier first, then the newest."""
JUDGED_BY = "judged_by"
"""Key of a version's metrics: the ids of the records that it was judged by."""


class Records(Protocol):
    """What selection needs of the memory; `LongTermMemory` has it."""

    def walk(self, tenant: str, *, state: State | None = None) -> Iterator[Record]:
        """Every record of the tenant in that state."""
        ...

    def hold(self, tenant: str, record_id: str, doubt: str, near: Sequence[str] = ()) -> Record:
        """Hold a record back for review, with what speaks against it and what is near."""
        ...


class Selection(Frozen):
    """How much is selected."""

    holdout_share: float = Field(default=0.25, gt=0, lt=1)
    """Share of the questions that is never trained on."""
    min_train: int = Field(default=16, ge=1)
    min_holdout: int = Field(default=8, ge=1)
    """Below eight pairs even a clean sweep says little (p = 2⁻⁷)."""
    max_train: int = Field(default=4096, ge=1)
    max_holdout: int = Field(default=704, ge=1)
    """As many are asked only where fewer do not decide: see docs/gate.md for what they detect."""
    max_per_task: int = Field(default=1024, ge=1)
    """Questions of one task, so that a busy task does not crowd out the others."""
    paths: int = Field(default=4, ge=1)
    """Different solutions of one question that are trained on (RFT: more teach nothing new)."""
    min_real_share: float = Field(default=0.2, ge=0, le=1)
    """Least share of what people asked or brought; practice beyond it is left out."""
    max_written_share: float = Field(default=0.25, ge=0, le=1)
    """Most of what is trained on that may be questions the model wrote, as a share."""

    def mixed(self, records: Sequence[Record]) -> list[Record]:
        """Return the records without the practice that is too much; what comes first stays."""
        return mixed(records, self.min_real_share, self.max_written_share)


@dataclass(frozen=True)
class Selected:
    """The material of one generation."""

    train: tuple[Record, ...]
    holdout: tuple[Record, ...]
    """One record for each held-out question."""
    unverified: int
    """Active records left out because their tier may not reach weights."""
    unlearnable: tuple[str, ...] = ()
    """For each record left out because it cannot be rendered for the model: why."""
    bare: Bare = "learn"
    """What became of bare corrections."""
    written: int = 0
    """Bare corrections whose solution the model wrote."""
    unsolved: int = 0
    """Bare corrections left out as it wrote none that came to the answer."""
    picked: Picked | None = None
    """How `train` was chosen; None where everything is learned from and nothing was scored."""
    practice_left_out: int = 0
    """Records left out so that real ones keep their share."""
    hardest_first: bool = False
    """Whether the hardest held-out questions judge first."""
    judges: tuple[Record, ...] = ()
    """Questions of a target, that are to judge in the place of `holdout`."""
    aside: tuple[Record, ...] = ()
    """Held-out records that do not judge: another of their question does, or a target's do."""

    @property
    def held_out(self) -> tuple[Record, ...]:
        """All that is held out of the tenant's records: those that judge first."""
        return (*self.holdout, *self.aside)

    def aimed(self) -> Selected:
        """Return it judged by the target, where there is one.

        What is trained on takes its usual order again: a generation that is rebuilt goes by it.
        """
        if not self.judges:
            return self
        train = sorted(self.train, key=lambda record: position(cluster(record)))  # stable
        return replace(
            self, train=tuple(train), holdout=self.judges, aside=self.held_out, judges=()
        )


Near = Callable[[Sequence[Record]], Sequence[float]]
"""How near records are to what a generation aims at."""


def select(
    records: Records,
    tenant: str,
    selection: Selection,
    uses: Mapping[str, int] = MappingProxyType({}),
    learned: Collection[str] = (),
    near: Near | None = None,
    rates: Rates | None = None,
) -> Selected:
    """Split the tenant's verified records; raises `DistillationError` where they are too few.

    `uses` are how often records have judged, by id: the least used judge first, and none more than
    `MOST_USES` times. Nor does what is `learned` by what is served, which would have seen it.
    What is `near` comes first, so that it is left out last. By `rates` those judge first of which
    the least is expected.
    """
    active = list(records.walk(tenant, state=State.ACTIVE))
    verified = [record for record in active if record.tier in TIERS_THAT_TRAIN]
    usable = selection.mixed(verified[::-1])
    questions = _by_question(usable)
    held = _held_out(questions, selection, uses, learned)
    others = [group for key, group in questions.items() if key not in held]
    judges = _hardest_first(list(held.values()), others, rates)
    kept = _capped(_nearest_first(others, near), selection.max_per_task)
    train = [record for group in kept for record in group[: selection.paths]]
    selected = Selected(
        train=tuple(selection.mixed(train[: selection.max_train])),
        holdout=tuple(group[0] for group in judges[: selection.max_holdout]),
        aside=tuple(r for group in judges[: selection.max_holdout] for r in group[1:]),
        unverified=len(active) - len(verified),
        practice_left_out=len(verified) - len(usable),
        hardest_first=rates is not None,
    )
    require_enough(selected, tenant, selection)
    return selected


def reselect(
    records: Records,
    tenant: str,
    version: AdapterVersion,
    selection: Selection,
    of_target: Iterable[Record] = (),
) -> Selected:
    """Return what a version learned from, less what is no longer there, in the same order.

    So the order, and with it every mini-batch, is what it would have been without the records that
    are gone. It is judged by the questions that the version was judged by, where they are known;
    some may be those `of_target`.
    """
    active = list(records.walk(tenant, state=State.ACTIVE))
    verified = [record for record in active if record.tier in TIERS_THAT_TRAIN]
    learned, judged = set(version.record_ids), set(version.metrics.get(JUDGED_BY, ()))
    train = _by_question(record for record in verified if record.id in learned)
    others = [record for record in verified if record.id not in learned]
    if judged:
        holdout = list(_by_question(r for r in others if r.id in judged).items())
    else:
        groups, share = _by_question(others), selection.holdout_share
        unseen = {key: group for key, group in groups.items() if key not in train}
        holdout = [(key, group) for key, group in unseen.items() if position(key) < share]
    asked = [group[0] for _, group in holdout] + [r for r in of_target if r.id in judged]
    judges = {key: group[0].id for key, group in holdout}
    selected = Selected(
        train=tuple(record for group in train.values() for record in group),
        holdout=tuple(asked[: selection.max_holdout]),
        aside=tuple(r for r in others if r.id != judges.get(cluster(r), r.id)),
        unverified=0,
    )
    require_enough(selected, tenant, selection)
    return selected


def cluster(record: Record) -> str:
    """What near-duplicates of a question share: its words and numbers, without their dress."""
    return re.sub(r"[^\w+\-*/<>=%]+", " ", folded(record.question)).strip()


def position(key: str) -> float:
    """A stable, uniform place of a question in [0, 1)."""
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _by_question(records: Iterable[Record]) -> dict[str, Group]:
    """Records of each question; questions by position."""
    groups: dict[str, Group] = defaultdict(list)
    for record in records:
        groups[cluster(record)].append(record)
    for group in groups.values():
        group.sort(key=lambda r: (-r.tier.strength, -r.created_at.timestamp(), r.id))
    return {key: groups[key] for key in sorted(groups, key=position)}


def _held_out(
    questions: Mapping[str, Group],
    selection: Selection,
    uses: Mapping[str, int],
    learned: Collection[str],
) -> dict[str, Group]:
    """Return the lowest positions of those that may judge, in a small memory a few more.

    The least used come first, those of equal use by position.
    """
    used = {key: max(uses.get(r.id, 0) for r in group) for key, group in questions.items()}
    free = [
        key
        for key, group in questions.items()
        if used[key] < MOST_USES and not any(record.id in learned for record in group)
    ]
    by_share = sum(position(key) < selection.holdout_share for key in free)
    spare = len(questions) - selection.min_train
    border = max(by_share, min(selection.min_holdout, spare, math.ceil(len(questions) / 2)))
    return {key: questions[key] for key in sorted(free[:border], key=used.__getitem__)}


def _hardest_first(
    held: Sequence[Group], others: Sequence[Group], rates: Rates | None
) -> Sequence[Group]:
    """Return what is held out by what is expected of it; of equal hardness as it was."""
    if rates is None:
        return held
    return _sorted_by(held, rates([group[0] for group in held], [group[0] for group in others]))


def _nearest_first(groups: Sequence[Group], near: Near | None) -> Sequence[Group]:
    if near is None:
        return groups
    return _sorted_by(groups, [-each for each in near([group[0] for group in groups])])


def _sorted_by(groups: Sequence[Group], values: Sequence[float]) -> list[Group]:
    """Return groups by a value of each, the lowest first; of equal ones as they were."""
    order = sorted(range(len(groups)), key=values.__getitem__)
    return [groups[place] for place in order]


def _capped(groups: Iterable[Group], most: int) -> list[Group]:
    """Return the groups without what exceeds `most` questions of one task."""
    taken: Counter[str | None] = Counter()
    kept: list[Group] = []
    for group in groups:
        task = group[0].task
        taken[task] += 1
        if taken[task] <= most:
            kept.append(group)
    return kept


def require_enough(selected: Selected, tenant: str, selection: Selection) -> None:
    """Raise `DistillationError` where there is too little to learn from or be judged by."""
    if len(selected.train) >= selection.min_train and (
        len(selected.holdout) >= selection.min_holdout
    ):
        return
    have, need = len(selected.train) + len(selected.holdout), selection
    raise DistillationError(
        f"tenant {tenant!r} has {have} usable verified records ({len(selected.train)} to train on, "
        f"{len(selected.holdout)} held out); a generation needs at least {need.min_train} and "
        f"{need.min_holdout}, and a held-out question judges at most {MOST_USES} generations. "
        f"Import solved examples (`whet memory import`), or send feedback{_without(selected)}"
    )


def _without(selected: Selected) -> str:
    said = ""
    if voted := selected.unverified:
        said = f". {voted} active records carry only a vote: feedback or a verifier confirms one"
    if practice := selected.practice_left_out:
        said += f". {practice} are practice beyond `min_real_share` and `max_written_share`"
    if left_out := selected.unlearnable:
        said += f". {len(left_out)} cannot be rendered for this model, such as: {left_out[0]}"
    return said
