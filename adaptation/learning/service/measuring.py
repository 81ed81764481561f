"""How well conversations are foreseen: the loss of their turns, and the tokens most likely."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy

from adaptation.conversation import Conversation
from adaptation.errors import TrainerError
from adaptation.learning.service import adapter_io
from adaptation.learning.service.base import Base
from adaptation.learning.service.watch import finite
from adaptation.learning.training.sequences import TrainingExample, to_example
from adaptation.learning.training.trainer import Foreseen


def measure(
    base: Base,
    conversations: Sequence[Conversation],
    adapter: str | None,
    max_tokens: int,
    cancelled: threading.Event,
) -> tuple[Foreseen, ...]:
    """Return it for every conversation, under the adapter in a folder or the bare base.

    Raises `TrainerError` where it is cancelled, or a loss is not a number.
    """
    found: list[Foreseen] = []
    under = adapter_io.read(base, adapter) if adapter is not None else None
    with base.under(under), torch.no_grad():
        for conversation in conversations:
            if cancelled.is_set():
                raise TrainerError("the job was cancelled")
            found.append(_foreseen(base, to_example(base.chat, conversation, max_tokens)))
    return tuple(found)


def _foreseen(base: Base, example: TrainingExample) -> Foreseen:
    places = [i for i, is_target in enumerate(example.loss_mask) if is_target and i > 0]
    if not places:
        return Foreseen(tokens=0, loss=0.0, right=0)
    token_ids = torch.tensor(example.token_ids, device=base.device)  # (T,)
    targets = token_ids[places]  # (M,)
    predicting = torch.tensor(places, device=base.device) - 1
    output = base.model(input_ids=token_ids[None], use_cache=False, logits_to_keep=predicting)
    logits = output.logits[0].float()  # (M, V)
    return Foreseen(
        tokens=len(places),
        loss=finite(float(cross_entropy(logits, targets, reduction="sum"))),
        right=int((logits.argmax(-1) == targets).sum()),
    )
