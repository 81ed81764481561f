"""What lies near the records that were trained on: by embedding, or else by words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nlargest
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from adaptation.learning.candidates.scoring import Vectors
from adaptation.learning.distillation.form import Form, form_of, nearness
from memory.types import Message, Record

SIMILAR = 0.5
"""Cosine of questions from which one is near the other; as `min_similarity` has it for recall.

With all-MiniLM-L6-v2 questions of one kind in other words lie at .54 to .64 from the nearest of
five families, those of none of them below .47."""
RECORDS, FAMILY = 0.4, 0.45
"""Likewise the overlap of forms: of a record, and of a question that is of one family."""
AT_ONCE = 1024
"""Records that are compared together."""
MOST_FORMS = 2_000
"""Most forms of what was trained on that a question is compared with."""


class Trained(Protocol):
    """What was trained on: a record, or an example of a file."""

    @property
    def question(self) -> str:
        """The last that was asked."""
        ...

    @property
    def answer(self) -> str:
        """What was learned to answer it."""
        ...


@dataclass(frozen=True)
class Neighbourhood:
    """What lies near the examples that were trained on."""

    train: Sequence[Trained]
    vectors: Vectors | None = None
    """Vectors of records; None: nearness goes by the overlap of forms."""

    @cached_property
    def records(self) -> list[Record]:
        """Return the examples that are records in memory."""
        return [each for each in self.train if isinstance(each, Record)]

    @cached_property
    def forms(self) -> list[Form]:
        """Return the forms that were trained, each once, in a fixed order; of very many some."""
        found = sorted({form_of(each.question) for each in self.train}, key=sorted)
        return found[:: max(1, -(-len(found) // MOST_FORMS))]

    @cached_property
    def _learned(self) -> NDArray[np.float32] | None:  # (m, d)
        return self.vectors(self.records) if self.vectors and self.records else None

    def nearest(self, others: Iterable[Record], most: int) -> list[Record]:
        """Return up to `most` of the records that lie near, the nearest first."""
        least = RECORDS if self._learned is None else SIMILAR
        near = (pair for pair in self._placed(others) if pair[0] >= least)
        return [record for _, record in nlargest(most, near, key=lambda p: (p[0], p[1].id))]

    def reaches(self, questions: Sequence[str]) -> bool:
        """Whether one of a family's questions is near, by its form or by its embedding."""
        if any(nearness(form_of(question), self.forms) >= FAMILY for question in questions):
            return True
        if self._learned is None:
            return False
        return any(close >= SIMILAR for close in self._closeness(self._asking(questions)))

    def _placed(self, records: Iterable[Record]) -> Iterator[tuple[float, Record]]:
        """Yield records and how near each is, a batch at a time."""
        rest = iter(records)
        while batch := list(islice(rest, AT_ONCE)):
            yield from zip(self._closeness(batch), batch, strict=True)

    def _closeness(self, records: Sequence[Record]) -> list[float]:
        if self._learned is None or self.vectors is None:
            return [nearness(form_of(record.question), self.forms) for record in records]
        found: list[float] = (self.vectors(records) @ self._learned.T).max(axis=1).tolist()
        return found

    def _asking(self, questions: Sequence[str]) -> list[Record]:
        """Return questions as if they were records, which vectors are of."""
        return [
            self.records[0].model_copy(
                update={"id": f"drawn {place}", "messages": (Message(role="user", content=text),)}
            )
            for place, text in enumerate(questions)
        ]
