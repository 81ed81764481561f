"""What was tried beside the answer: other strategies than the one that answered, and their price.

A try that comes to nothing has its price all the same. It is not the price of the strategy that
answers then. Owns the account of the tries of one request; knows nothing of the ledger's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from adaptation.options import Strategy
from adaptation.stopwatch import Stopwatch
from adaptation.voting.pool import SamplePool
from memory.types import Trial


class Came(Enum):
    """What a try came to whose answer is not the one that is returned."""

    TO_NOTHING = "nothing"
    """It went to its end, and left the answer as it was: the gate refused, or nothing was shown."""
    TO_A_REJECTED_ANSWER = "rejected"
    """Verifiers reject its answer, and pass the vote's."""
    UNKNOWN = "unknown"
    """It was cut short or failed, or nobody can tell which of the answers is right."""


@dataclass
class Try:
    """One strategy that a request went."""

    tokens: int = 0
    """Generated for it alone."""
    trained_tokens: int = 0
    seconds: float = 0.0
    """How long the answer waited for it alone."""
    came: Came = Came.UNKNOWN


class Tries:
    """The tries of one request."""

    def __init__(self, pool: SamplePool, clock: Stopwatch) -> None:
        self._pool, self._clock = pool, clock
        self._of: dict[Strategy, Try] = {}

    @contextmanager
    def of(self, strategy: Strategy) -> Iterator[None]:
        """Book what is spent in the `with` block under a strategy."""
        tried = self._tried(strategy)
        tokens, seconds = self._generated, self._clock.since_start_s
        try:
            yield
        finally:
            tried.tokens += self._generated - tokens
            tried.seconds += self._clock.since_start_s - seconds

    def came(self, strategy: Strategy, to: Came) -> None:
        """Note what a try came to."""
        self._tried(strategy).came = to

    def split(self, answered: Trial) -> tuple[Trial, tuple[Trial, ...]]:
        """Return the trial of the strategy that answered without the tries of others, and theirs.

        To what a try took is added what the answer took without it: so much takes a request that
        goes this way. What took no tokens was not tried.
        """
        self._book_adapter()
        others = {
            way: tried
            for way, tried in self._of.items()
            if way != answered.strategy and (tried.tokens or tried.trained_tokens)
        }
        own = answered.model_copy(
            update={
                name: getattr(answered, name) - sum(getattr(each, name) for each in others.values())
                for name in ("tokens", "trained_tokens", "seconds")
            }
        )
        return own, tuple(_trial(way, tried, own) for way, tried in others.items())

    def _book_adapter(self) -> None:
        """Book an adapter under `ttt`: it may be made beside a vote, or beside demonstrations."""
        tried = self._tried(Strategy.TTT)
        tried.trained_tokens = self._pool.trained_tokens
        tried.tokens += self._pool.adapter_tokens

    def _tried(self, strategy: Strategy) -> Try:
        return self._of.setdefault(strategy, Try())

    @property
    def _generated(self) -> int:
        """Tokens of all but the examination of the adapter, which may go on beside anything."""
        return self._pool.generated_tokens - self._pool.adapter_tokens


def _trial(way: Strategy, tried: Try, own: Trial) -> Trial:
    """Return what the ledger notes of a try beside the answer, whose own trial is `own`.

    A try that came to nothing is a tie only where the answer was judged: elsewhere the ledger would
    hear of each refusal and of no success.
    """
    is_rejected = tried.came is Came.TO_A_REJECTED_ANSWER
    stands = own.strategy == Strategy.CONSISTENCY and own.right is not None
    is_tied = tried.came is Came.TO_NOTHING and stands
    return Trial(
        strategy=way,
        source="shadow",
        near=own.near,
        right=False if is_rejected else None,
        baseline=True if is_rejected else None,
        same=True if is_tied else False if is_rejected else None,
        tokens=own.tokens + tried.tokens,
        trained_tokens=tried.trained_tokens,
        seconds=own.seconds + tried.seconds,
    )
