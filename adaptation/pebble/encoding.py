"""Conversations to tensors: token ids, and which of them the model learns to write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from adaptation.evaluation.suites.solved import Solved
from adaptation.pebble.chat import Conversation, Document, dialogue, segments

IGNORED = -100
"""A target without loss: PyTorch's own default."""

LENGTH_STEP = 16
"""Padded rows come in few lengths, in tokens; see `losses.SHAPE_STEP`."""


def conversation(tasks: Sequence[Solved], system: str | None = None) -> Conversation:
    """Solved questions as the turns of one conversation, with the tools of the first."""
    texts = [text for task in tasks for text in (task.question, task.rationale)]
    return Conversation(dialogue(*texts, system=system).turns, tasks[0].tools)


def conversation_of(tasks: Sequence[Solved], system: str | None = None) -> Document:
    """Return the tasks as a conversation that is ready to be encoded."""
    return segments(conversation(tasks, system))


class Encoder:
    """Documents to token ids and loss weights."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def row(self, documents: Iterator[Document], tokens: int) -> tuple[list[int], list[bool]]:
        """`tokens` ids and whether each is a target the model learns to write."""
        ids: list[int] = []
        trained: list[bool] = []
        while len(ids) < tokens:
            more_ids, more_trained = self.document(next(documents))
            ids += more_ids
            trained += more_trained
        return ids[:tokens], trained[:tokens]

    def document(self, pieces: Document) -> tuple[list[int], list[bool]]:
        """Return all ids of one document, and which of them are trained."""
        encodings = self._tokenizer.encode_batch_fast([piece.text for piece in pieces])
        ids, trained = list[int](), list[bool]()
        for piece, encoding in zip(pieces, encodings, strict=True):
            ids += encoding.ids
            trained += [piece.trained] * len(encoding.ids)
        return ids, trained


@dataclass(frozen=True)
class Rows:
    """One batch: `ids` and `targets`, both (B, T); targets without loss are IGNORED."""

    ids: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> "Rows":
        """Return the rows on a device."""
        return Rows(self.ids.to(device), self.targets.to(device))


def next_token_targets(ids: Tensor, trained: Tensor) -> Tensor:
    """Shift left by one; the last position has nothing to predict."""
    targets = torch.full_like(ids, IGNORED)
    targets[:, :-1] = torch.where(trained[:, 1:], ids[:, 1:], IGNORED)
    return targets


def padded_rows(documents: Sequence[tuple[list[int], list[bool]]]) -> Rows:
    """One encoded document to a row, filled up on the right."""
    longest = max(len(ids) for ids, _ in documents)
    shape = (len(documents), longest + -longest % LENGTH_STEP)
    ids, trained = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.bool)
    for row, (row_ids, row_trained) in enumerate(documents):
        ids[row, : len(row_ids)] = torch.tensor(row_ids)
        trained[row, : len(row_ids)] = torch.tensor(row_trained)
    return Rows(ids, next_token_targets(ids, trained))
