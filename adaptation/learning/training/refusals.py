"""What a model shall go on refusing: requests, each with words that refuse and words that comply.

Training at test time on examples that comply undoes what a model refuses (arXiv 2605.22984). The
loss of refusals alone says little: a house style makes every other text less likely, refusals too.
So it is held against the loss of complying with the same requests. The set is the operator's own:
in words that the model refuses in, and known to nobody who writes records.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from adaptation.conversation import Conversation, spoken
from memory.types import Frozen, Message

MOST = 256
"""In a file: they are looked at twice in every training."""


class Refusal(Frozen):
    """A request, and how it may be answered."""

    request: str = Field(min_length=1)
    refusal: str = Field(min_length=1)
    compliance: str = Field(min_length=1)

    def answered(self, reply: str) -> Conversation:
        """Return the request with a reply."""
        return spoken(
            Message(role="user", content=self.request), Message(role="assistant", content=reply)
        )


def read(path: Path) -> tuple[Refusal, ...]:
    """Read a file with an object in each line; raises `ValueError` and `OSError`."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    if not 1 <= len(lines) <= MOST:
        raise ValueError(f"it has {len(lines)} lines, not 1 to {MOST}")
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(Refusal.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise ValueError(f"line {number}: {where}: {first['msg']}") from error
    return tuple(found)
