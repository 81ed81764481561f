"""The process of a reward model: `python -m adaptation.rewards.worker FOLDER`.

Reads lines of JSON: seconds that there are, and conversations with the replies to each. Replies
with `scores`, one for each reply in order, or with the `error` that kept it from them. The model is
loaded for the first line; nothing is asked in a line that only wants it loaded.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptation.workers.worker_loop import read_line, serve

if TYPE_CHECKING:
    from adaptation.rewards.scorer import Scorer


class Worker:
    """Answers one line after the other."""

    def __init__(self, folder: Path, device: str) -> None:
        self._folder, self._device = folder, device
        self._scorer: Scorer | None = None

    def reply(self, question: tuple[float, list[Any]]) -> dict[str, Any]:
        """Return the scores, or why there are none."""
        seconds, asked = question
        until = time.monotonic() + seconds
        try:
            self._scorer = self._scorer or load(self._folder, self._device)
            return {"scores": self._scorer.scores(asked, until)}
        except TimeoutError:
            return {"error": "there was no time to score all"}
        except Exception as error:  # noqa: BLE001  the process boundary: the next line may work
            _end_if_broken(error)
            said = " ".join(str(error).split())
            return {"error": said if isinstance(error, ValueError) else _named(error, said)}


def load(folder: Path, device: str) -> Scorer:
    """Import what it takes, and load the model."""
    # transformers imports them for what is not needed here: a third of the time that a start takes.
    # None reads as not installed.
    sys.modules.update(dict.fromkeys(("sklearn", "scipy")))  # type: ignore[arg-type]
    from adaptation.rewards.scorer import Scorer

    scorer = Scorer(folder, device)
    gc.freeze()  # it stays
    return scorer


def _named(error: Exception, said: str) -> str:
    return f"{type(error).__name__}: {said}"


def _end_if_broken(error: Exception) -> None:
    """A broken CUDA context is beyond repair, and what is full of memory had better begin anew."""
    import torch

    if isinstance(error, torch.AcceleratorError | torch.OutOfMemoryError):
        print(f"the accelerator failed: {error}", file=sys.stderr)
        os._exit(1)


if __name__ == "__main__":
    folder, device = sys.argv[1:]
    serve(read_line, Worker(Path(folder), device).reply, most_bytes=None)
