"""A tenant's index beside what it is known to reflect."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

from memory.index.layered import LayeredIndex
from memory.index.vectors import Changes


@dataclass
class View:
    """A tenant's index as of event `seq`."""

    index: LayeredIndex
    seq: int = 0
    mark: str | None = None
    saved_seq: int = -1
    """The event of the snapshot on disk, -1 without one."""
    fresh: bool = True
    """Whether a snapshot has yet to be looked for."""
    missing: set[int] = field(default_factory=set)
    """Numbers of active records without a vector."""
    retry_at: float = -math.inf
    """Monotonic seconds before which nothing is embedded for it."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def apply(self, changes: Changes) -> None:
        """Come to the event that these changes lead to."""
        self.hold(changes)
        self.seq, self.mark = changes.seq, changes.mark

    def hold(self, changes: Changes) -> None:
        """Take the changes over, whichever event they are of."""
        self.index.remove(changes.gone)
        self.index.add(changes.numbers, changes.vectors)
        self.missing.difference_update(changes.gone, changes.numbers.tolist())
        self.missing.update(changes.missing)
