"""What every station of the tour is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from adaptation.evaluation import questions
from adaptation.evaluation.suites.solved import Solved
from server.tour.client import Client
from server.tour.narrator import Narrator


@dataclass(frozen=True)
class Sizes:
    """How much is asked."""

    search: int
    """Doubtful questions, among which the one is shown on which a vote is worth most."""
    everyday: int
    """Everyday questions asked before and after distillation."""
    shifted: int
    """Questions of the new domain asked before and after test-time training."""
    held_out: int
    """Further questions of it asked before and after distillation."""
    imported: int = 64
    """Solved examples of it that memory is given."""


FULL = Sizes(search=16, everyday=12, shifted=4, held_out=12)
FAST = Sizes(search=10, everyday=8, shifted=3, held_out=8)


class Guide:
    """The server, the narrator, and questions that no two stations share."""

    def __init__(
        self, client: Client, narrator: Narrator, sizes: Sizes, seed: int, data_dir: Path | None
    ) -> None:
        """`data_dir` is the server's, where it is known."""
        self.client = client
        self.narrator = narrator
        self.sizes = sizes
        self.data_dir = data_dir
        self.seed = seed

    @cached_property
    def doubtful(self) -> list[Solved]:
        """Questions that the model gets right now and then."""
        return questions.doubtful(self.sizes.search, self.seed)

    @cached_property
    def everyday(self) -> list[Solved]:
        """Questions in the domain the model was trained on."""
        return questions.everyday(self.sizes.everyday, self.seed)

    @cached_property
    def examples(self) -> list[Solved]:
        """Solved examples of a domain the model has never met."""
        return questions.examples(self.sizes.imported, self.seed)

    @cached_property
    def _asked(self) -> list[Solved]:
        """Questions of that domain, none of them among the examples."""
        return questions.shifted(self.sizes.shifted + self.sizes.held_out + 1, self.seed)

    @property
    def shifted(self) -> list[Solved]:
        """Questions asked before and after test-time training."""
        return self._asked[: self.sizes.shifted]

    @property
    def held_out(self) -> list[Solved]:
        """Questions asked before and after distillation."""
        return self._asked[self.sizes.shifted : -1]

    @property
    def last(self) -> Solved:
        """A further question, for feedback."""
        return self._asked[-1]
