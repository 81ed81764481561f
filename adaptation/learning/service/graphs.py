"""Which passes are recorded and replayed: a pass of few tokens waits for launches, not for sums.

Knows shapes, and who can record; what a recording is on a device is `capture`'s business.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from adaptation.learning.service.grid import PassShape, shape_of
from adaptation.learning.service.packing import Part
from adaptation.learning.service.sharing import cost
from adaptation.learning.service.slots import Slots
from adaptation.learning.service.static_pass import StaticPass

if TYPE_CHECKING:
    from adaptation.learning.service.base import Base

MOST_KEPT = 8
"""Recordings at once."""
MOST_TOKENS = 24_576
"""In a recorded pass: sixteen jobs of a thousand, padded. A larger one is bound by arithmetic, and
its recording would hold much memory."""
SMALL_TOKENS = 1_024
"""A pass of no more takes as long as its launches, padded or not."""
MOST_PADDED = 2.0
"""Tokens of a recorded pass for each that is somebody's. A guess: no GPU was at hand."""
MOST_APART = 0.05
"""Nats a target between a replayed pass and an ordinary one: bf16 alone makes a tenth of it."""
SEEN = 64
"""Shapes remembered. One is recorded when it comes again: that takes as long as a few passes."""

Losses = tuple[torch.Tensor, ...]
logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """Makes recordings, and holds what they work in."""

    @property
    def held_bytes(self) -> int:
        """What the recordings work in."""

    @property
    def allowed_bytes(self) -> int:
        """What they may hold."""

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        """Return what does all that `run` does; raises `RuntimeError`."""

    def forget(self) -> None:
        """Give the memory back."""


@dataclass(frozen=True)
class Recording:
    """A pass, and what runs it."""

    static: StaticPass
    replay: Callable[[], None]

    def learn(self, parts: Sequence[Part]) -> list[Losses]:
        """Return the losses of every part's examples; add to gradients."""
        self.static.fill(parts)
        self.replay()
        return self.static.taken(parts)


class Graphs:
    """The recordings of one base, by shape. The one that was used least recently makes way."""

    def __init__(self, base: Base, recorder: Recorder) -> None:
        self._base, self._recorder = base, recorder
        self._kept: OrderedDict[PassShape, Recording] = OrderedDict()
        self._slots: dict[tuple[int, int], Slots] = {}
        """By their number and rank; passes share them."""
        self._seen: deque[PassShape] = deque(maxlen=SEEN)
        self._most_tokens = MOST_TOKENS
        """Less, once something failed: what did is not tried again."""

    @property
    def shapes(self) -> list[PassShape]:
        """Return the shapes of the graphs that are kept."""
        return [*self._kept]

    @property
    def held_bytes(self) -> int:
        """The memory that recordings hold."""
        return self._recorder.held_bytes + sum(slots.n_bytes for slots in self._slots.values())

    def learn(self, parts: Sequence[Part]) -> list[Losses]:
        """Return what `Base.learn` does: a pass for each rank, replayed where that pays."""
        found: dict[int, Losses] = {}
        for rank in dict.fromkeys(part.adapter.rank for part in parts):
            mine = {i: part for i, part in enumerate(parts) if part.adapter.rank == rank}
            found |= zip(mine, self._learn(list(mine.values())), strict=True)
        return [found[i] for i in range(len(parts))]

    def forget(self) -> None:
        """Let go of every recording, and of the memory."""
        self._kept.clear()
        self._slots.clear()
        self._recorder.forget()

    def _learn(self, parts: Sequence[Part]) -> list[Losses]:
        recording = self._recording(parts)
        return self._base.learn_once(parts) if recording is None else recording.learn(parts)

    def _recording(self, parts: Sequence[Part]) -> Recording | None:
        """Return what `parts` can be learned by: of all that is kept the smallest they fit."""
        wanted, taken = shape_of(parts), sum(cost(part.examples) for part in parts)
        if not self._pays(wanted, taken):
            return None
        fitting = [each for each in self._kept if each.covers(wanted) and self._pays(each, taken)]
        if not fitting:
            return self._recorded_if_seen(wanted, parts)
        shape = min(fitting, key=lambda each: each.cost)
        self._kept.move_to_end(shape)
        return self._kept[shape]

    def _pays(self, shape: PassShape, cost: int) -> bool:
        worth = max(SMALL_TOKENS, MOST_PADDED * cost)
        return shape.cost <= min(worth, self._most_tokens)

    def _recorded_if_seen(self, shape: PassShape, parts: Sequence[Part]) -> Recording | None:
        if shape not in self._seen:
            self._seen.append(shape)
            return None
        self._seen.remove(shape)
        if len(self._kept) >= MOST_KEPT:
            self._kept.popitem(last=False)
        failure = self._failure(shape, parts)
        if failure is not None:
            self._refuse(*failure)
        return self._kept.get(shape)

    def _failure(self, shape: PassShape, parts: Sequence[Part]) -> tuple[int, str] | None:
        """Record; return the cost of what must not be recorded again, and why, if it failed."""
        try:
            self._kept[shape] = self._recorded(shape, parts)
            self._check(self._kept[shape], parts)
        except RuntimeError as error:
            is_full = isinstance(error, torch.OutOfMemoryError)
            return shape.cost if is_full else 0, str(error)
        held, allowed = self.held_bytes, self._recorder.allowed_bytes
        logger.info("training replays %d CUDA graphs in %.1f GB", len(self._kept), held / 1e9)
        if held <= allowed:
            return None
        largest = max(kept.cost for kept in self._kept)
        return largest, f"graphs held {held / 1e9:.1f} GB where {allowed / 1e9:.1f} are allowed"

    def _recorded(self, shape: PassShape, parts: Sequence[Part]) -> Recording:
        size = shape.slots, shape.rank
        if size not in self._slots:
            base = self._base
            self._slots[size] = Slots(shape.slots, base.shapes, shape.rank, base.dtype, base.device)
        static = StaticPass(self._base, shape, self._slots[size])
        static.fill(parts)
        return Recording(static, self._recorder.record(static.run))

    def _check(self, recording: Recording, parts: Sequence[Part]) -> None:
        """Raise `RuntimeError` where a replay finds other losses than an ordinary pass."""
        recording.static.blank()
        recording.replay()
        found, usual = recording.static.losses(parts), self._base.look(parts)
        for mine, theirs in zip(found, usual, strict=True):
            apart = (torch.cat(mine) - torch.cat(theirs)).abs().mean()
            is_sound = torch.cat(theirs).isfinite().all()  # a job's own fault is not the graph's
            if is_sound and not apart <= MOST_APART:
                raise RuntimeError(f"a replayed graph's losses are {float(apart):.3g} nats off")

    def _refuse(self, cost: int, why: str) -> None:
        """Let go of all recordings, and make none as large as `cost` again."""
        self._most_tokens = max(0, cost - 1)
        self.forget()
        logger.warning(
            "training passes of more than %d tokens are not captured as CUDA graphs: %s",
            self._most_tokens,
            why,
        )
