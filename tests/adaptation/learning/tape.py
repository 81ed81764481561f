"""A CUDA graph on the CPU: what ran is run again, kernel by kernel, on the very same tensors.

Whatever a run decides in Python is decided once, as on a device; so what a pass finds after another
filling is right only where nothing but its tensors has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
WAITS = {
    aten._local_scalar_dense,
    aten.nonzero,
    aten.lift_fresh,
    aten.is_nonzero,
    aten.masked_select,
}
"""What needs the host, and so cannot be captured."""


class Tape(TorchDispatchMode):
    """Writes down what runs."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func.overloadpacket in WAITS:
            raise RuntimeError(f"{func} waits for the device")
        found = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, found))
        return found

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, found in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(found), tree_leaves(again), strict=True):
                if torch.is_tensor(old) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class TapeRecorder:
    """Records on the CPU; `breaks` is raised instead, as long as it is set."""

    def __init__(self) -> None:
        self.held_bytes, self.allowed_bytes = 0, 2**40
        self.breaks: Exception | None = None
        self.loses_track = False
        """Whether a replay does nothing."""
        self.recorded = self.forgotten = 0
        self.replayed = 0
        """Without the first replay of each recording, by which it is checked."""

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        if self.breaks is not None:
            raise self.breaks
        run()
        with Tape() as tape:
            run()
        self.recorded += 1
        self.replayed -= 1

        def replay() -> None:
            self.replayed += 1
            if not self.loses_track:
                tape.replay()

        return replay

    def forget(self) -> None:
        self.forgotten += 1
