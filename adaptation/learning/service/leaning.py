"""Whether a training makes a model comply with what it refuses: looked at before and after."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from statistics import median

from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.asking import Ask, Losses, means
from adaptation.learning.training.chat import Chat
from adaptation.learning.training.refusals import Refusal
from adaptation.learning.training.sequences import to_example

Leanings = tuple[float, ...]
"""For each refusal: by how many nats a token it is likelier than complying."""


class RefusalWatch:
    """The refusals of one job."""

    def __init__(
        self, chat: Chat, adapter: Adapter, refusals: Sequence[Refusal], max_tokens: int
    ) -> None:
        replies = [
            *(each.answered(each.refusal) for each in refusals),
            *(each.answered(each.compliance) for each in refusals),
        ]
        examples = [to_example(chat, each, max_tokens, last_only=True) for each in replies]
        self.ask = Ask(adapter, examples, learns=False)
        self._before: Leanings = ()
        self.look_s = 0.0
        """What a look takes."""

    def begin(self) -> Generator[Ask, Losses, None]:
        """Look before the first step."""
        self._before = yield from self._look()

    def shift(self) -> Generator[Ask, Losses, float | None]:
        """Look again; return what refusing has lost in the median, None where nothing is asked."""
        if not self._before:
            return None
        after = yield from self._look()
        return median(was - now for was, now in zip(self._before, after, strict=True))

    def _look(self) -> Generator[Ask, Losses, Leanings]:
        if not self.ask.examples:
            return ()
        began = time.perf_counter()
        losses = means((yield self.ask))
        self.look_s = time.perf_counter() - began
        half = len(losses) // 2
        return tuple(
            complying - refusing
            for refusing, complying in zip(losses[:half], losses[half:], strict=True)
        )
